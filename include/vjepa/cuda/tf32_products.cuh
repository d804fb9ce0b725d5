#pragma once

#include <cuda_runtime.h>

#include "vjepa/cuda/attention_tiles.cuh"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"

// Attention's products of float32 by tensor cores. These take factors of 10 bits, so that a factor is cut in two, and a
// product is three: what the small parts make with each other is left out, 2^-22 of it. They also cut off their sums
// and do not round them, which would add up over a long one: it is summed by ordinary additions (Ootomo and Yokota,
// "Recovering single precision accuracy from tensor cores while surpassing the FP32 theoretical peak performance",
// IJHPCA 2022).

namespace vjepa::cuda::flash {

/// N factors, each the sum of two that tensor cores take.
template <int N>
struct TwoParts {
  float large[N];
  float small[N];
};

template <int N>
__device__ TwoParts<N> in_two_parts(const float (&values)[N]) {
  TwoParts<N> parts;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    parts.large[i] = tf32_of(values[i]);
    parts.small[i] = tf32_of(values[i] - parts.large[i]);
  }
  return parts;
}

/// d [16, 8] += a [16, 8] b [8, 8], the small products first.
__device__ inline void multiply_add_parts(float (&d)[4], const TwoParts<4>& a, const TwoParts<2>& b) {
  float sum[4] = {};
  multiply_add(sum, a.small, b.large[0], b.large[1]);
  multiply_add(sum, a.large, b.small[0], b.small[1]);
  multiply_add(sum, a.large, b.large[0], b.large[1]);
#pragma unroll
  for (int e = 0; e < 4; ++e) d[e] += sum[e];
}

template <int D, int M, bool kept>
class LeftFactor<float, D, M, kept> {
 public:
  /// `rows` in shared memory, complete, and to stay as they are.
  __device__ explicit LeftFactor(const float* rows) : rows_(rows) {
    if constexpr (kept) {
#pragma unroll
      for (int d = 0; d < D / 8; ++d) {
#pragma unroll
        for (int m = 0; m < M; ++m) read(d, m, values_[d][m]);
      }
    }
  }

  /// Features [8 d, 8 d + 8) of all rows.
  __device__ void get(int d, TwoParts<4> (&a)[M]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      if constexpr (kept) {
        a[m] = in_two_parts(values_[d][m]);
      } else {
        float values[4];
        read(d, m, values);
        a[m] = in_two_parts(values);
      }
    }
  }

 private:
  __device__ void read(int d, int m, float (&values)[4]) const {
    const float* const upper = rows_ + (16 * m + row_of(0)) * stride<float, D> + 8 * d + lane_index() % 4;
    const float* const lower = upper + 8 * stride<float, D>;
    values[0] = upper[0];
    values[1] = lower[0];
    values[2] = upper[4];
    values[3] = lower[4];
  }

  const float* rows_;
  float values_[kept ? D / 8 : 1][M][4];
};

/// scores [16 M, W] += a [16 M, D] bᵀ, with b [W, D] in shared memory.
template <int D, int M, int W, bool kept>
__device__ void add_product_transposed(const LeftFactor<float, D, M, kept>& a, const float* b,
                                       Fragments<M, W>& scores) {
  // Rows that are read have no place in registers that the compiler would have to know.
#pragma unroll(kept ? D / 8 : 2)
  for (int d = 0; d < D / 8; ++d) {
    TwoParts<4> left[M];
    a.get(d, left);
#pragma unroll
    for (int n = 0; n < W / 8; ++n) {
      const float* const from = b + (8 * n + lane_index() / 4) * stride<float, D> + 8 * d + lane_index() % 4;
      const TwoParts<2> right = in_two_parts({from[0], from[4]});
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_add_parts(scores[m][n], left[m], right);
    }
  }
}

/// sums [16 M, D] += weights [16 M, W] b, with b [W, D] in shared memory.
template <int D, int M, int W>
__device__ void add_product(const Fragments<M, W>& weights, const float* b, Fragments<M, D>& sums) {
#pragma unroll
  for (int n = 0; n < W / 8; ++n) {
    // A lane has the weights of columns 2 t and 2 t + 1 where a factor has those of t and t + 4. Their order is free as
    // long as the rows of b come in the same one.
    TwoParts<4> left[M];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const auto& w = weights[m][n];
      left[m] = in_two_parts({w[0], w[2], w[1], w[3]});
    }
#pragma unroll
    for (int d = 0; d < D / 8; ++d) {
      const float* const from = b + column_of(n, 0) * stride<float, D> + 8 * d + lane_index() / 4;
      const TwoParts<2> right = in_two_parts({from[0], from[stride<float, D>]});
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_add_parts(sums[m][d], left[m], right);
    }
  }
}

}  // namespace vjepa::cuda::flash
