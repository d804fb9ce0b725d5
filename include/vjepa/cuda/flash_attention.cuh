#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <type_traits>
#include <utility>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/attention_tiles.cuh"
#include "vjepa/cuda/bf16_products.cuh"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/tf32_products.cuh"

namespace vjepa::cuda {

namespace flash {

template <class S, int D>
inline constexpr Cut forward_cut{
    .fragments = D <= 80 ? 2 : 1, .columns = tile<S>, .keeps_rows = D != 80, .blocks = D <= 32 ? 3 : 2};
template <class S, int D>
inline constexpr Cut backward_cut{.fragments = D <= 32 ? 2 : 1,
                                  .columns = tile<S> / 2,
                                  .keeps_rows = D <= 80,
                                  .blocks = D <= 48    ? 3
                                            : D <= 112 ? 2
                                                       : 1};
// A value of float32 takes a register, where one of bf16 takes half.
template <int D>
inline constexpr Cut forward_cut<float, D>{
    .fragments = D <= 32 ? 2 : 1, .columns = tile<float>, .keeps_rows = D <= 64, .blocks = D <= 96 ? 2 : 1};
template <int D>
inline constexpr Cut backward_cut<float, D>{.fragments = 1,
                                            .columns = D <= 64 ? tile<float> : tile<float> / 2,
                                            .keeps_rows = D <= 32,
                                            .blocks = D <= 64 ? 2 : 1};

/// FlashAttention-2 (Dao, arXiv 2307.08691): softmax over the tiles of keys as they come, the sums so far shrunk
/// whenever a larger score appears.
template <class S, int D>
__global__ void __launch_bounds__(threads, forward_cut<S, D>.blocks)
    forward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out, Mat<float> lse) {
  constexpr Cut cut = forward_cut<S, D>;
  constexpr int M = cut.fragments;
  constexpr int T = tile<S>;
  const Place place(shape, shape.queries, cut.block_rows());
  const auto dim = static_cast<int>(shape.head_dim);
  const auto keys = static_cast<int>(shape.keys);
  const auto rows = static_cast<int>(shape.queries) - place.first;  // from here on
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  const float to_exponent = scale * log2_e;
  const int row = cut.rows() * warp_index();
  S* const queries = dynamic_shared<S>();
  S* const columns = queries + cut.block_rows() * stride<S, D>;  // [2 stages, keys and values]
  const auto copy_columns = [&](int begin, int stage) {
    const Index from = place.b * shape.keys + begin;
    S* const to = columns + stage * 2 * tile_size<S, D>;
    copy_rows<S, D, T>(k.row(from) + place.column, k.stride(), keys - begin, dim, to);
    copy_rows<S, D, T>(v.row(from) + place.column, v.stride(), keys - begin, dim, to + tile_size<S, D>);
  };

  const Index first = place.b * shape.queries + place.first;
  copy_rows<S, D, cut.block_rows()>(q.row(first) + place.column, q.stride(), rows, dim, queries);
  commit_copies();
  copy_columns(0, 0);
  commit_copies();
  wait_copies<1>();
  __syncthreads();
  const LeftFactor<S, D, M, cut.keeps_rows> query(queries + row * stride<S, D>);
  Fragments<M, D> mixed = {};
  float largest[M][2];
  float sum[M][2] = {};  // of this lane's columns
#pragma unroll
  for (int m = 0; m < M; ++m) largest[m][0] = largest[m][1] = -INFINITY;
  for_each_tile<S>(keys, copy_columns, [&](int begin, int stage) {
    const S* const key = columns + stage * 2 * tile_size<S, D>;
    Fragments<M, T> scores = {};
    add_product_transposed<D, M, T>(query, key, scores);
    if (begin + T > keys) {
#pragma unroll
      for (int n = 0; n < T / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          if (begin + column_of(n, e) < keys) continue;
#pragma unroll
          for (int m = 0; m < M; ++m) scores[m][n][e] = -INFINITY;
        }
      }
    }
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float larger = largest[m][half];
#pragma unroll
        for (int n = 0; n < T / 8; ++n) {
          larger = fmaxf(larger, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
        }
        larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 1));
        larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 2));
        const float shrink = exp2_approx((largest[m][half] - larger) * to_exponent);
        const float taken_off = larger * to_exponent;
        largest[m][half] = larger;
        sum[m][half] *= shrink;
#pragma unroll
        for (int n = 0; n < T / 8; ++n) {
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; ++e) {
            scores[m][n][e] = exp2_approx(scores[m][n][e] * to_exponent - taken_off);
            sum[m][half] += scores[m][n][e];
          }
        }
#pragma unroll
        for (int n = 0; n < D / 8; ++n) {
          mixed[m][n][2 * half] *= shrink;
          mixed[m][n][2 * half + 1] *= shrink;
        }
      }
    }
    add_product<D, M, T>(scores, key + tile_size<S, D>, mixed);
  });
  float inverse[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 1);
      sum[m][half] += __shfl_xor_sync(0xffffffffu, sum[m][half], 2);
      inverse[m][half] = 1.0f / sum[m][half];
      const int i = row + 16 * m + row_of(half);
      if (!lse.empty() && lane_index() % 4 == 0 && i < rows) {
        lse(place.head, place.first + i) = largest[m][half] * scale + logf(sum[m][half]);
      }
    }
  }
  store_rows<S, D, M>(mixed, inverse, out.row(first + row) + place.column, out.stride(), rows - row, dim);
}

/// The gradients of queries, or of keys and values. Both take the scores of their rows against one tile of columns
/// after the other; with `for_keys`, rows are keys and columns queries:
///
///   p = exp(scores - lse), ds = p (dout valuesᵀ - delta)
///   dq = scale ds k, or dk = scale dsᵀ q and dv = pᵀ dout
///
/// delta is dout . out of each query, the sum over keys of p times its gradient; the kernel of queries writes it, that
/// of keys reads it. Each gradient has one writer, so that no order of blocks can change it; scores are computed twice
/// for it.
template <class S, int D, bool for_keys>
__global__ void __launch_bounds__(threads, backward_cut<S, D>.blocks)
    backward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<const S> out,
                    Mat<const float> lse, Mat<float> delta, Mat<const S> dout, Mat<S> dq, Mat<S> dk, Mat<S> dv) {
  constexpr Cut cut = backward_cut<S, D>;
  constexpr int M = cut.fragments;
  constexpr int T = tile<S>;
  constexpr int W = cut.columns;
  const Index all_rows = for_keys ? shape.keys : shape.queries;
  const auto columns = static_cast<int>(for_keys ? shape.queries : shape.keys);
  const Place place(shape, all_rows, cut.block_rows());
  const auto rows = static_cast<int>(all_rows) - place.first;  // from here on
  const auto dim = static_cast<int>(shape.head_dim);
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  const float to_exponent = scale * log2_e;
  const int row = cut.rows() * warp_index();
  // What scores are products of, and what their gradients are: of the rows, then of two stages of columns, with lse and
  // delta of the columns when these are queries.
  S* const row_scores = dynamic_shared<S>();
  S* const row_gradients = row_scores + cut.block_rows() * stride<S, D>;
  S* const column_tiles = row_gradients + cut.block_rows() * stride<S, D>;
  float* const column_stats = reinterpret_cast<float*>(column_tiles + 4 * tile_size<S, D>);
  const auto& row_source = for_keys ? k : q;
  const auto& row_gradient_source = for_keys ? v : dout;
  const auto& column_source = for_keys ? q : k;
  const auto& column_gradient_source = for_keys ? dout : v;
  const auto copy_columns = [&](int begin, int stage) {
    const Index from = place.b * columns + begin;
    S* const to = column_tiles + stage * 2 * tile_size<S, D>;
    copy_rows<S, D, T>(column_source.row(from) + place.column, column_source.stride(), columns - begin, dim, to);
    copy_rows<S, D, T>(column_gradient_source.row(from) + place.column, column_gradient_source.stride(),
                       columns - begin, dim, to + tile_size<S, D>);
    if (for_keys && threadIdx.x < T) {
      const int i = begin + static_cast<int>(threadIdx.x);
      float* const stats = column_stats + stage * 2 * T + threadIdx.x;
      // A query that is not there: p = 0.
      stats[0] = i < columns ? lse(place.head, i) * log2_e : INFINITY;
      stats[T] = i < columns ? delta(place.head, i) : 0.0f;
    }
  };

  const Index first = place.b * all_rows + place.first;
  copy_rows<S, D, cut.block_rows()>(row_source.row(first) + place.column, row_source.stride(), rows, dim, row_scores);
  copy_rows<S, D, cut.block_rows()>(row_gradient_source.row(first) + place.column, row_gradient_source.stride(), rows,
                                    dim, row_gradients);
  commit_copies();
  copy_columns(0, 0);
  commit_copies();
  float row_lse[M][2] = {};
  float row_delta[M][2] = {};
  if (!for_keys) {
    for (int m = 0; m < M; ++m) {
      for (int half = 0; half < 2; ++half) {
        // A row that is not there adds up another, as the lanes do this together.
        const Index i = first + min(row + 16 * m + row_of(half), rows - 1);
        row_delta[m][half] = product_of_rows<S, D>(out.row(i) + place.column, dout.row(i) + place.column, dim);
      }
    }
    for (int m = 0; m < M; ++m) {
      for (int half = 0; half < 2; ++half) {
        const int i = row + 16 * m + row_of(half);
        if (i >= rows) continue;
        row_lse[m][half] = lse(place.head, place.first + i) * log2_e;
        if (lane_index() % 4 == 0) delta(place.head, place.first + i) = row_delta[m][half];
      }
    }
  }
  wait_copies<1>();
  __syncthreads();
  const LeftFactor<S, D, M, cut.keeps_rows> for_scores(row_scores + row * stride<S, D>);
  const LeftFactor<S, D, M, cut.keeps_rows> for_gradients(row_gradients + row * stride<S, D>);
  Fragments<M, D> from_scores = {};
  Fragments<M, D> from_values = {};
  for_each_tile<S>(columns, copy_columns, [&](int begin, int stage) {
    const S* const tiles = column_tiles + stage * 2 * tile_size<S, D>;
    const float* const stats = column_stats + stage * 2 * T;
#pragma unroll 1
    for (int part = 0; part < T; part += W) {
      const S* const of_scores = tiles + part * stride<S, D>;
      const S* const of_gradients = of_scores + tile_size<S, D>;
      Fragments<M, W> p = {};
      Fragments<M, W> ds = {};
      add_product_transposed<D, M, W>(for_scores, of_scores, p);
      add_product_transposed<D, M, W>(for_gradients, of_gradients, ds);
#pragma unroll
      for (int n = 0; n < W / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int column = part + column_of(n, e);
#pragma unroll
          for (int m = 0; m < M; ++m) {
            const float log_sum = for_keys ? stats[column] : row_lse[m][e / 2];
            const float taken_off = for_keys ? stats[T + column] : row_delta[m][e / 2];
            p[m][n][e] = exp2_approx(p[m][n][e] * to_exponent - log_sum);
            // Keys that are not there have zeros in their tiles, which an overflowing p would turn into NaN.
            if (!for_keys && begin + column >= columns) p[m][n][e] = 0;
            ds[m][n][e] = p[m][n][e] * (ds[m][n][e] - taken_off);
          }
        }
      }
      add_product<D, M, W>(ds, of_scores, from_scores);
      if (for_keys) add_product<D, M, W>(p, of_gradients, from_values);
    }
  });
  float scales[M][2];
  float ones[M][2];
  for (int m = 0; m < M; ++m) {
    scales[m][0] = scales[m][1] = scale;
    ones[m][0] = ones[m][1] = 1;
  }
  const auto store = [&](const Fragments<M, D>& sums, const float(&factors)[M][2], Mat<S> to) {
    store_rows<S, D, M>(sums, factors, to.row(first + row) + place.column, to.stride(), rows - row, dim);
  };
  store(from_scores, scales, for_keys ? dk : dq);
  if (for_keys) store(from_values, ones, dv);
}

template <class S, int D>
Grid forward_grid(const AttentionShape& shape) {
  return grid<S, D>(shape, shape.queries, forward_cut<S, D>, 1, 0);
}
template <class S, int D, bool for_keys>
Grid backward_grid(const AttentionShape& shape) {
  constexpr std::size_t stats = for_keys ? 4 * tile<S> : 0;
  return grid<S, D>(shape, for_keys ? shape.keys : shape.queries, backward_cut<S, D>, 2, stats);
}

/// The head sizes that there are kernels for. Of bf16 those of the published models and of their predictors, and some
/// between; of float32 fewer, as it is not what models are trained in on a GPU.
template <class S>
struct HeadSizes {
  using All = std::integer_sequence<int, 16, 24, 32, 48, 64, 80, 88, 104, 128>;
};
template <>
struct HeadSizes<float> {
  using All = std::integer_sequence<int, 32, 64, 96, 128>;
};

/// Calls body(std::integral_constant<int, D>) with the least of the sizes that the head fits into. Whether there is
/// one.
template <class S, class Body>
bool with_padded(Index head_dim, Body&& body) {
  const auto fits = [&]<int D>() {
    if (head_dim > D) return false;
    body(std::integral_constant<int, D>());
    return true;
  };
  return [&]<int... D>(std::integer_sequence<int, D...>) {
    return (fits.template operator()<D>() || ...);
  }
  (typename HeadSizes<S>::All());
}

}  // namespace flash

/// Attention on tensor cores, scores and sums in float32: of bf16, the weights rounded before they meet values, and of
/// float32 to nearly its own precision.
template <class S>
struct TensorCoreAttention {
  /// Whether there is a kernel for heads of this size, and they can be copied 16 bytes at a time in this memory.
  template <class... Views>
  static bool supports(const AttentionShape& shape, const Views&... views) {
    return shape.head_dim % 8 == 0 && flash::with_padded<S>(shape.head_dim, [](auto) {}) && whole_packs(views...);
  }

  /// Shared memory of a block, in bytes, which not every GPU has.
  static std::size_t forward_bytes(const AttentionShape& shape) {
    std::size_t bytes = 0;
    flash::with_padded<S>(shape.head_dim, [&](auto padded) { bytes = flash::forward_grid<S, padded>(shape).shared; });
    return bytes;
  }
  static std::size_t backward_bytes(const AttentionShape& shape) {
    std::size_t bytes = 0;
    flash::with_padded<S>(shape.head_dim,
                          [&](auto padded) { bytes = flash::backward_grid<S, padded, true>(shape).shared; });
    return bytes;
  }

  static void forward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                      Mat<float> lse) {
    flash::with_padded<S>(shape.head_dim, [&](auto padded) {
      constexpr int D = padded;
      launch(ctx, flash::forward_grid<S, D>(shape), flash::forward_kernel<S, D>, shape, q, k, v, out, lse);
    });
  }

  /// Overwrites delta [batch * heads, queries].
  static void backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                       Mat<const S> out, Mat<const float> lse, Mat<float> delta, Mat<const S> dout, Mat<S> dq,
                       Mat<S> dk, Mat<S> dv) {
    flash::with_padded<S>(shape.head_dim, [&](auto padded) {
      constexpr int D = padded;
      launch(ctx, flash::backward_grid<S, D, false>(shape), flash::backward_kernel<S, D, false>, shape, q, k, v, out,
             lse, delta, dout, dq, dk, dv);
      launch(ctx, flash::backward_grid<S, D, true>(shape), flash::backward_kernel<S, D, true>, shape, q, k, v, out, lse,
             delta, dout, dq, dk, dv);
    });
  }
};

}  // namespace vjepa::cuda
