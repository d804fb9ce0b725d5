#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "vjepa/core/bf16.hpp"
#include "vjepa/cuda/attention_tiles.cuh"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"

// Attention's products of bf16 by tensor cores, sums in float32.

namespace vjepa::cuda::flash {

/// Products go through 16 features at a time, and at last through eight.
template <int D>
inline constexpr bool has_tail = D % 16 != 0;

/// What this lane gives to load_matrices for the 16 x 16 values from (row, d) on: first the upper eight rows, then the
/// lower, then the next eight columns of both. Of two matrices it is the 16 x 8 values.
template <int D>
__device__ const bf16* rows_first(const bf16* values, int row, int d) {
  const int l = lane_index();
  return values + (row + l % 16) * stride<bf16, D> + d + l / 16 * 8;
}
/// First the left eight columns, then the right, then the next eight rows of both.
template <int D>
__device__ const bf16* columns_first(const bf16* values, int row, int d) {
  const int l = lane_index();
  return values + (row + l / 16 * 8 + l % 8) * stride<bf16, D> + d + l / 8 % 2 * 8;
}

template <int D, int M, bool kept>
class LeftFactor<bf16, D, M, kept> {
 public:
  /// `rows` in shared memory, complete, and to stay as they are.
  __device__ explicit LeftFactor(const bf16* rows) : rows_(rows) {
    if constexpr (kept) {
#pragma unroll
      for (int d = 0; d < D / 16; ++d) {
#pragma unroll
        for (int m = 0; m < M; ++m) load_matrices(values_[d][m], rows_first<D>(rows, 16 * m, 16 * d));
      }
      if constexpr (has_tail<D>) {
#pragma unroll
        for (int m = 0; m < M; ++m) load_matrices(tail_[m], rows_first<D>(rows, 16 * m, D - 8));
      }
    }
  }

  /// Features [16 d, 16 d + 16) of all rows.
  __device__ void get(int d, std::uint32_t (&a)[M][4]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      if constexpr (kept) {
        for (int e = 0; e < 4; ++e) a[m][e] = values_[d][m][e];
      } else {
        load_matrices(a[m], rows_first<D>(rows_, 16 * m, 16 * d));
      }
    }
  }
  /// The last eight features of all rows.
  __device__ void get_tail(std::uint32_t (&a)[M][2]) const {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      if constexpr (kept) {
        for (int e = 0; e < 2; ++e) a[m][e] = tail_[m][e];
      } else {
        load_matrices(a[m], rows_first<D>(rows_, 16 * m, D - 8));
      }
    }
  }

 private:
  const bf16* rows_;
  std::uint32_t values_[kept ? D / 16 : 1][M][4];
  std::uint32_t tail_[M][2];
};

/// scores [16 M, W] += a [16 M, D] bᵀ, with b [W, D] in shared memory.
template <int D, int M, int W, bool kept>
__device__ void add_product_transposed(const LeftFactor<bf16, D, M, kept>& a, const bf16* b, Fragments<M, W>& scores) {
#pragma unroll
  for (int d = 0; d < D / 16; ++d) {
    std::uint32_t left[M][4];
    a.get(d, left);
#pragma unroll
    for (int n = 0; n < W / 16; ++n) {
      std::uint32_t right[4];
      load_matrices(right, columns_first<D>(b, 16 * n, 16 * d));
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(scores[m][2 * n], left[m], right[0], right[1]);
        multiply_add(scores[m][2 * n + 1], left[m], right[2], right[3]);
      }
    }
  }
  if constexpr (has_tail<D>) {
    std::uint32_t left[M][2];
    a.get_tail(left);
#pragma unroll
    for (int n = 0; n < W / 16; ++n) {
      std::uint32_t right[2];
      load_matrices(right, rows_first<D>(b, 16 * n, D - 8));
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(scores[m][2 * n], left[m], right[0]);
        multiply_add(scores[m][2 * n + 1], left[m], right[1]);
      }
    }
  }
}

/// sums [16 M, D] += weights [16 M, W] b, with b [W, D] in shared memory, the weights rounded to bf16.
template <int D, int M, int W>
__device__ void add_product(const Fragments<M, W>& weights, const bf16* b, Fragments<M, D>& sums) {
#pragma unroll
  for (int t = 0; t < W / 16; ++t) {
    std::uint32_t a[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const auto& left = weights[m][2 * t];
      const auto& right = weights[m][2 * t + 1];
      a[m][0] = pair_of(left[0], left[1]);
      a[m][1] = pair_of(left[2], left[3]);
      a[m][2] = pair_of(right[0], right[1]);
      a[m][3] = pair_of(right[2], right[3]);
    }
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      std::uint32_t right[4];
      load_matrices_transposed(right, rows_first<D>(b, 16 * t, 16 * d));
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(sums[m][2 * d], a[m], right[0], right[1]);
        multiply_add(sums[m][2 * d + 1], a[m], right[2], right[3]);
      }
    }
    if constexpr (has_tail<D>) {
      std::uint32_t right[2];
      load_matrices_transposed(right, rows_first<D>(b, 16 * t, D - 8));
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_add(sums[m][D / 8 - 1], a[m], right[0], right[1]);
    }
  }
}

}  // namespace vjepa::cuda::flash
