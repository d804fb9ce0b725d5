#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/tensor_core.cuh"

namespace vjepa::cuda {

// Tiles of 64 rows of one head, D features each (the head's, and zeros to the next multiple of 16), as bf16 in shared
// memory. A block of four warps has one tile of rows, 16 for each warp, and meets all tiles of columns one by one, the
// next being copied while one is worked on.
namespace flash {

inline constexpr int tile = 64;
inline constexpr int warps = tile / 16;
inline constexpr int threads = warps * warp_size;
inline constexpr float log2_e = 1.44269504f;

/// Elements between rows of a tile: eight rows of 16 bytes each lie in different banks.
template <int D>
inline constexpr int stride = D + 8;
template <int D>
inline constexpr int tile_size = tile* stride<D>;

/// A fragment [16, 64] of one warp: eight matrices of 16 x 8 as multiply_add leaves them.
using Scores = float[tile / 8][4];
/// [16, D] likewise.
template <int D>
using Sums = float[D / 8][4];

/// The row, within a fragment, of a lane's values 0 and 1 (half 0), or 2 and 3 (half 1).
__device__ inline int row_of(int half) {
  return lane_index() / 4 + 8 * half;
}
/// The column of value e of matrix n.
__device__ inline int column_of(int n, int e) {
  return 8 * n + 2 * (lane_index() % 4) + e % 2;
}

/// Begins to copy rows [row, row + 64) of a head; those from `count` on become zeros.
template <int D>
__device__ void copy_tile(Mat<const bf16> from, Index row, Index count, Index column, int dim, bf16* to) {
  constexpr int pieces = D / 8;
  for (int i = static_cast<int>(threadIdx.x); i < tile * pieces; i += threads) {
    const int r = i / pieces;
    const int d = i % pieces * 8;
    bf16* const target = to + r * stride<D> + d;
    if (r < count && d < dim) {
      copy_async(target, from.row(row + r) + column + d);
    } else {
      *reinterpret_cast<uint4*>(target) = uint4{};
    }
  }
}

/// What this lane gives to load_matrices for the 16 x 16 values from (row, d) on: first the upper eight rows, then the
/// lower, then the next eight columns of both.
template <int D>
__device__ const bf16* rows_first(const bf16* values, int row, int d) {
  const int l = lane_index();
  return values + (row + l % 16) * stride<D> + d + l / 16 * 8;
}
/// First the left eight columns, then the right, then the next eight rows of both.
template <int D>
__device__ const bf16* columns_first(const bf16* values, int row, int d) {
  const int l = lane_index();
  return values + (row + l / 16 * 8 + l % 8) * stride<D> + d + l / 8 % 2 * 8;
}

/// scores [16, 64] = a [16, D] bᵀ, with rows [row, row + 16) of tile a, and all of tile b.
template <int D>
__device__ void multiply_transposed(const bf16* a, int row, const bf16* b, Scores& scores) {
#pragma unroll
  for (int n = 0; n < tile / 8; ++n) {
    for (int e = 0; e < 4; ++e) scores[n][e] = 0;
  }
#pragma unroll
  for (int d = 0; d < D; d += 16) {
    std::uint32_t left[4];
    load_matrices(left, rows_first<D>(a, row, d));
#pragma unroll
    for (int n = 0; n < tile / 16; ++n) {
      std::uint32_t right[4];
      load_matrices(right, columns_first<D>(b, 16 * n, d));
      multiply_add(scores[2 * n], left, right[0], right[1]);
      multiply_add(scores[2 * n + 1], left, right[2], right[3]);
    }
  }
}

/// sums [16, D] += weights [16, 64] b, the weights rounded to bf16.
template <int D>
__device__ void add_product(const Scores& weights, const bf16* b, Sums<D>& sums) {
#pragma unroll
  for (int t = 0; t < tile / 16; ++t) {
    const auto& left = weights[2 * t];
    const auto& right = weights[2 * t + 1];
    const std::uint32_t a[4] = {pair_of(left[0], left[1]), pair_of(left[2], left[3]), pair_of(right[0], right[1]),
                                pair_of(right[2], right[3])};
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      std::uint32_t m[4];
      load_matrices_transposed(m, rows_first<D>(b, 16 * t, 16 * d));
      multiply_add(sums[2 * d], a, m[0], m[1]);
      multiply_add(sums[2 * d + 1], a, m[2], m[3]);
    }
  }
}

/// to[row + r] = scale[half of r] * sums[r] for the rows r of the fragment with row + r < rows.
template <int D>
__device__ void store_rows(const Sums<D>& sums, const float (&scale)[2], Mat<bf16> to, Index first, Index row,
                           Index rows, Index column, int dim) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const Index r = row + row_of(half);
    if (r >= rows) continue;
    bf16* const out = to.row(first + r) + column;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      if (8 * n >= dim) continue;
      *reinterpret_cast<std::uint32_t*>(out + column_of(n, 0)) =
          pair_of(sums[n][2 * half] * scale[half], sums[n][2 * half + 1] * scale[half]);
    }
  }
}

/// Where a block stands: 64 rows of one head.
struct Place {
  Index head;
  Index b;
  Index first;   // row of the head
  Index column;  // of the head's first feature

  __device__ Place(const AttentionShape& shape, Index rows) {
    const Index parts = (rows + tile - 1) / tile;
    head = static_cast<Index>(blockIdx.x) / parts;
    first = static_cast<Index>(blockIdx.x) % parts * tile;
    b = head / shape.heads;
    column = head % shape.heads * shape.head_dim;
  }
};

/// FlashAttention-2 (Dao, arXiv 2307.08691): softmax over the tiles of keys as they come, the sums so far shrunk
/// whenever a larger score appears.
template <int D>
__global__ void __launch_bounds__(threads) forward_kernel(AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k,
                                                          Mat<const bf16> v, Mat<bf16> out, Mat<float> lse) {
  const Place place(shape, shape.queries);
  const auto dim = static_cast<int>(shape.head_dim);
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  const int row = 16 * warp_index();
  bf16* const queries = dynamic_shared<bf16>();
  bf16* const columns = queries + tile_size<D>;  // [2 stages, keys and values]
  const auto copy_columns = [&](Index begin, int stage) {
    const Index from = place.b * shape.keys + begin;
    bf16* const to = columns + stage * 2 * tile_size<D>;
    copy_tile<D>(k, from, shape.keys - begin, place.column, dim, to);
    copy_tile<D>(v, from, shape.keys - begin, place.column, dim, to + tile_size<D>);
  };

  copy_tile<D>(q, place.b * shape.queries + place.first, shape.queries - place.first, place.column, dim, queries);
  copy_columns(0, 0);
  commit_copies();
  Sums<D> mixed = {};
  float largest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {};  // of this lane's columns
  int stage = 0;
  for (Index begin = 0; begin < shape.keys; begin += tile, stage = 1 - stage) {
    if (begin + tile < shape.keys) copy_columns(begin + tile, 1 - stage);
    commit_copies();
    wait_copies<1>();
    __syncthreads();
    const bf16* const keys = columns + stage * 2 * tile_size<D>;
    Scores scores;
    multiply_transposed<D>(queries, row, keys, scores);
    if (begin + tile > shape.keys) {
#pragma unroll
      for (int n = 0; n < tile / 8; ++n) {
        for (int e = 0; e < 4; ++e) {
          if (begin + column_of(n, e) >= shape.keys) scores[n][e] = -INFINITY;
        }
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float larger = largest[half];
#pragma unroll
      for (int n = 0; n < tile / 8; ++n) larger = fmaxf(larger, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
      larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 1));
      larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 2));
      const float shrink = exp2f((largest[half] - larger) * scale * log2_e);
      largest[half] = larger;
      sum[half] *= shrink;
#pragma unroll
      for (int n = 0; n < tile / 8; ++n) {
        for (int e = 2 * half; e < 2 * half + 2; ++e) {
          scores[n][e] = exp2f((scores[n][e] - larger) * scale * log2_e);
          sum[half] += scores[n][e];
        }
      }
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        mixed[n][2 * half] *= shrink;
        mixed[n][2 * half + 1] *= shrink;
      }
    }
    add_product<D>(scores, keys + tile_size<D>, mixed);
    __syncthreads();
  }
  float inverse[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    inverse[half] = 1.0f / sum[half];
    const Index i = place.first + row + row_of(half);
    if (!lse.empty() && lane_index() % 4 == 0 && i < shape.queries) {
      lse(place.head, i) = largest[half] * scale + logf(sum[half]);
    }
  }
  store_rows<D>(mixed, inverse, out, place.b * shape.queries, place.first + row, shape.queries, place.column, dim);
}

/// The gradients of queries, or of keys and values. Both take the scores of their rows against one tile of columns
/// after the other; with `for_keys`, rows are keys and columns queries:
///
///   p = exp(scores - lse), ds = p (dout valuesᵀ - delta)
///   dq = scale ds k, or dk = scale dsᵀ q and dv = pᵀ dout
///
/// Each gradient has one writer, so that no order of blocks can change it; scores are computed twice for it.
template <int D, bool for_keys>
__global__ void __launch_bounds__(threads)
    backward_kernel(AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v, Mat<const float> lse,
                    Mat<const float> delta, Mat<const bf16> dout, Mat<bf16> dq, Mat<bf16> dk, Mat<bf16> dv) {
  const Index rows = for_keys ? shape.keys : shape.queries;
  const Index columns = for_keys ? shape.queries : shape.keys;
  const Place place(shape, rows);
  const auto dim = static_cast<int>(shape.head_dim);
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  const int row = 16 * warp_index();
  // Operands of the scores and of their gradients: of the rows, then of two stages of columns, with lse and delta of
  // the columns when these are queries.
  bf16* const row_tiles = dynamic_shared<bf16>();
  bf16* const column_tiles = row_tiles + 2 * tile_size<D>;
  float* const column_stats = reinterpret_cast<float*>(column_tiles + 4 * tile_size<D>);
  const auto copy_columns = [&](Index begin, int stage) {
    const Index from = place.b * columns + begin;
    bf16* const to = column_tiles + stage * 2 * tile_size<D>;
    copy_tile<D>(for_keys ? q : k, from, columns - begin, place.column, dim, to);
    copy_tile<D>(for_keys ? dout : v, from, columns - begin, place.column, dim, to + tile_size<D>);
    if (for_keys && threadIdx.x < tile) {
      const Index i = begin + static_cast<Index>(threadIdx.x);
      float* const stats = column_stats + stage * 2 * tile + threadIdx.x;
      stats[0] = i < columns ? lse(place.head, i) : 0.0f;
      stats[tile] = i < columns ? delta(place.head, i) : 0.0f;
    }
  };

  const Index from = place.b * rows + place.first;
  copy_tile<D>(for_keys ? k : q, from, rows - place.first, place.column, dim, row_tiles);
  copy_tile<D>(for_keys ? v : dout, from, rows - place.first, place.column, dim, row_tiles + tile_size<D>);
  copy_columns(0, 0);
  commit_copies();
  float row_lse[2] = {};
  float row_delta[2] = {};
  if (!for_keys) {
    for (int half = 0; half < 2; ++half) {
      const Index i = place.first + row + row_of(half);
      if (i >= rows) continue;
      row_lse[half] = lse(place.head, i);
      row_delta[half] = delta(place.head, i);
    }
  }
  Sums<D> from_scores = {};
  Sums<D> from_values = {};
  int stage = 0;
  for (Index begin = 0; begin < columns; begin += tile, stage = 1 - stage) {
    if (begin + tile < columns) copy_columns(begin + tile, 1 - stage);
    commit_copies();
    wait_copies<1>();
    __syncthreads();
    const bf16* const tiles = column_tiles + stage * 2 * tile_size<D>;
    const float* const stats = column_stats + stage * 2 * tile;
    Scores p;
    Scores ds;
    multiply_transposed<D>(row_tiles, row, tiles, p);
    multiply_transposed<D>(row_tiles + tile_size<D>, row, tiles + tile_size<D>, ds);
#pragma unroll
    for (int n = 0; n < tile / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int column = column_of(n, e);
        const float log_sum = for_keys ? stats[column] : row_lse[e / 2];
        const float taken_off = for_keys ? stats[tile + column] : row_delta[e / 2];
        // Columns that are not there have zeros in their tiles, which an overflowing p would turn into NaN.
        p[n][e] = begin + column < columns ? exp2f((p[n][e] * scale - log_sum) * log2_e) : 0.0f;
        ds[n][e] = p[n][e] * (ds[n][e] - taken_off);
      }
    }
    add_product<D>(ds, tiles, from_scores);
    if (for_keys) add_product<D>(p, tiles + tile_size<D>, from_values);
    __syncthreads();
  }
  const float scales[2] = {scale, scale};
  const float ones[2] = {1.0f, 1.0f};
  const Index first = place.b * rows;
  store_rows<D>(from_scores, scales, for_keys ? dk : dq, first, place.first + row, rows, place.column, dim);
  if (for_keys) store_rows<D>(from_values, ones, dv, first, place.first + row, rows, place.column, dim);
}

/// A block for each 64 of `rows` of each head, with memory for `tiles` tiles and `floats` values.
template <int D>
Grid grid(const AttentionShape& shape, Index rows, std::size_t tiles, std::size_t floats) {
  return {.blocks = shape.batch * shape.heads * ((rows + tile - 1) / tile),
          .threads = threads,
          .shared = sizeof(bf16) * tiles * tile_size<D> + sizeof(float) * floats};
}

/// Calls body(std::integral_constant<int, D>) with D the head size rounded up to 16.
template <class Body>
void with_padded(Index head_dim, Body&& body) {
  const auto one = [&]<int D>() {
    if (head_dim > D - 16 && head_dim <= D) body(std::integral_constant<int, D>());
  };
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (one.template operator()<16 * (i + 1)>(), ...);
  }
  (std::make_integer_sequence<int, 8>());
}

}  // namespace flash

/// Attention of bf16 on tensor cores, scores and sums in float32, the weights rounded to bf16 before they meet values.
struct TensorCoreAttention {
  /// Whether heads of this size in this memory can be copied 16 bytes at a time.
  template <class... Views>
  static bool supports(const AttentionShape& shape, const Views&... views) {
    return shape.head_dim % 8 == 0 && shape.head_dim <= 128 && (whole_packs(views) && ...);
  }

  static void forward(Context& ctx, AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v,
                      Mat<bf16> out, Mat<float> lse) {
    flash::with_padded(shape.head_dim, [&](auto padded) {
      constexpr int D = padded;
      launch(ctx, flash::grid<D>(shape, shape.queries, 5, 0), flash::forward_kernel<D>, shape, q, k, v, out, lse);
    });
  }

  /// delta as attention_delta computes it.
  static void backward(Context& ctx, AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v,
                       Mat<const float> lse, Mat<const float> delta, Mat<const bf16> dout, Mat<bf16> dq, Mat<bf16> dk,
                       Mat<bf16> dv) {
    flash::with_padded(shape.head_dim, [&](auto padded) {
      constexpr int D = padded;
      constexpr std::size_t stats = 4 * flash::tile;
      launch(ctx, flash::grid<D>(shape, shape.keys, 6, stats), flash::backward_kernel<D, true>, shape, q, k, v, lse,
             delta, dout, dq, dk, dv);
      launch(ctx, flash::grid<D>(shape, shape.queries, 6, 0), flash::backward_kernel<D, false>, shape, q, k, v, lse,
             delta, dout, dq, dk, dv);
    });
  }
};

}  // namespace vjepa::cuda
