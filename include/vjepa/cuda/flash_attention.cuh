#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"

namespace vjepa::cuda {

// A block of four warps has some rows of one head, D features each (the head's, and zeros to the next multiple of 16),
// and meets all of the other side's in tiles of 64, which are called columns here, the next tile being copied to shared
// memory while one is worked on. A warp keeps its own rows in registers.
namespace flash {

inline constexpr int tile = 64;
inline constexpr int warps = 4;
inline constexpr int threads = warps * warp_size;
inline constexpr float log2_e = 1.44269504f;

/// Elements between rows in shared memory: eight rows of 16 bytes each lie in different banks.
template <int D>
inline constexpr int stride = D + 8;
template <int D>
inline constexpr int tile_size = tile* stride<D>;

/// How the work is cut so that registers hold what a warp has at once: `fragments` of 16 rows, each meeting every
/// column that is read from shared memory; their scores with so many `columns`; and, where there is room beside the
/// sums, the rows themselves. A multiprocessor shall have room for so many `blocks`.
struct Cut {
  int fragments;
  int columns;
  bool keeps_rows;
  int blocks;

  constexpr int rows() const { return 16 * fragments; }        // of a warp
  constexpr int block_rows() const { return warps * rows(); }  // of a block
};
template <int D>
inline constexpr Cut forward_cut{
    .fragments = D <= 80 ? 2 : 1, .columns = tile, .keeps_rows = D != 80, .blocks = D <= 32 ? 3 : 2};
template <int D>
inline constexpr Cut backward_cut{.fragments = D <= 32 ? 2 : 1,
                                  .columns = tile / 2,
                                  .keeps_rows = D <= 80,
                                  .blocks = D <= 48    ? 3
                                            : D <= 112 ? 2
                                                       : 1};

/// Fragments [16 M, W] of one warp: each of W / 8 matrices of 16 x 8 as multiply_add leaves them.
template <int M, int W>
using Fragments = float[M][W / 8][4];

/// The row, within a fragment, of a lane's values 0 and 1 (half 0), or 2 and 3 (half 1).
__device__ inline int row_of(int half) {
  return lane_index() / 4 + 8 * half;
}
/// The column of value e of matrix n.
__device__ inline int column_of(int n, int e) {
  return 8 * n + 2 * (lane_index() % 4) + e % 2;
}

/// Begins to copy `rows` rows of a head, of which `count` are there and the others become zeros; so do features from
/// `dim` on.
template <int D, int rows>
__device__ void copy_rows(const bf16* from, Index from_stride, int count, int dim, bf16* to) {
  constexpr int pieces = D / 8;
  static_assert(rows * pieces % threads == 0);
#pragma unroll
  for (int k = 0; k < rows * pieces / threads; ++k) {
    const int i = k * threads + static_cast<int>(threadIdx.x);
    const int r = i / pieces;
    const int d = i % pieces * 8;
    const bool there = r < count && d < dim;
    copy_async(to + r * stride<D> + d, there ? from + r * from_stride + d : from, there);
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

/// The rows of a warp as the left factor of products, [16 M, D]; `kept` in registers, or read whenever they are used.
template <int D, int M, bool kept>
class LeftFactor {
 public:
  /// `rows` in shared memory, complete, and to stay as they are.
  __device__ explicit LeftFactor(const bf16* rows) : rows_(rows) {
    if constexpr (kept) {
#pragma unroll
      for (int d = 0; d < D / 16; ++d) {
#pragma unroll
        for (int m = 0; m < M; ++m) load_matrices(values_[d][m], rows_first<D>(rows, 16 * m, 16 * d));
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

 private:
  const bf16* rows_;
  std::uint32_t values_[kept ? D / 16 : 1][M][4];
};

/// scores [16 M, W] = a [16 M, D] bᵀ, with b [W, D] in shared memory.
template <int D, int M, int W, bool kept>
__device__ void multiply_transposed(const LeftFactor<D, M, kept>& a, const bf16* b, Fragments<M, W>& scores) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < W / 8; ++n) {
      for (int e = 0; e < 4; ++e) scores[m][n][e] = 0;
    }
  }
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
  }
}

/// to[r] = scale[m][half] * sums for the rows r < count of the fragments; `to` is the place of the first row.
template <int D, int M>
__device__ void store_rows(const Fragments<M, D>& sums, const float (&scale)[M][2], bf16* to, Index to_stride,
                           int count, int dim) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = 16 * m + row_of(half);
      if (r >= count) continue;
      bf16* const out = to + r * to_stride;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        if (8 * n >= dim) continue;
        *reinterpret_cast<std::uint32_t*>(out + column_of(n, 0)) =
            pair_of(sums[m][n][2 * half] * scale[m][half], sums[m][n][2 * half + 1] * scale[m][half]);
      }
    }
  }
}

/// Where a block stands: `block_rows` rows of one head.
struct Place {
  Index head;
  Index b;
  int first;     // row of the head
  Index column;  // of the head's first feature

  __device__ Place(const AttentionShape& shape, Index rows, int block_rows) {
    const Index parts = (rows + block_rows - 1) / block_rows;
    head = static_cast<Index>(blockIdx.x) / parts;
    first = static_cast<int>(static_cast<Index>(blockIdx.x) % parts) * block_rows;
    b = head / shape.heads;
    column = head % shape.heads * shape.head_dim;
  }
};

/// Calls work(begin, stage) for each tile of `count` columns, when copy(begin, stage) has brought its columns to that
/// one of two places.
template <class Copy, class Work>
__device__ void for_each_tile(int count, Copy&& copy, Work&& work) {
  int stage = 0;
  for (int begin = 0; begin < count; begin += tile, stage = 1 - stage) {
    if (begin + tile < count) copy(begin + tile, 1 - stage);
    commit_copies();
    wait_copies<1>();
    __syncthreads();
    work(begin, stage);
    __syncthreads();
  }
}

/// FlashAttention-2 (Dao, arXiv 2307.08691): softmax over the tiles of keys as they come, the sums so far shrunk
/// whenever a larger score appears.
template <int D>
__global__ void __launch_bounds__(threads, forward_cut<D>.blocks)
    forward_kernel(AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v, Mat<bf16> out,
                   Mat<float> lse) {
  constexpr Cut cut = forward_cut<D>;
  constexpr int M = cut.fragments;
  const Place place(shape, shape.queries, cut.block_rows());
  const auto dim = static_cast<int>(shape.head_dim);
  const auto keys = static_cast<int>(shape.keys);
  const auto rows = static_cast<int>(shape.queries) - place.first;  // from here on
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));
  const float to_exponent = scale * log2_e;
  const int row = cut.rows() * warp_index();
  bf16* const queries = dynamic_shared<bf16>();
  bf16* const columns = queries + cut.block_rows() * stride<D>;  // [2 stages, keys and values]
  const auto copy_columns = [&](int begin, int stage) {
    const Index from = place.b * shape.keys + begin;
    bf16* const to = columns + stage * 2 * tile_size<D>;
    copy_rows<D, tile>(k.row(from) + place.column, k.stride(), keys - begin, dim, to);
    copy_rows<D, tile>(v.row(from) + place.column, v.stride(), keys - begin, dim, to + tile_size<D>);
  };

  const Index first = place.b * shape.queries + place.first;
  copy_rows<D, cut.block_rows()>(q.row(first) + place.column, q.stride(), rows, dim, queries);
  commit_copies();
  copy_columns(0, 0);
  commit_copies();
  wait_copies<1>();
  __syncthreads();
  const LeftFactor<D, M, cut.keeps_rows> query(queries + row * stride<D>);
  Fragments<M, D> mixed = {};
  float largest[M][2];
  float sum[M][2] = {};  // of this lane's columns
#pragma unroll
  for (int m = 0; m < M; ++m) largest[m][0] = largest[m][1] = -INFINITY;
  for_each_tile(keys, copy_columns, [&](int begin, int stage) {
    const bf16* const key = columns + stage * 2 * tile_size<D>;
    Fragments<M, tile> scores;
    multiply_transposed<D, M, tile>(query, key, scores);
    if (begin + tile > keys) {
#pragma unroll
      for (int n = 0; n < tile / 8; ++n) {
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
        for (int n = 0; n < tile / 8; ++n) {
          larger = fmaxf(larger, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
        }
        larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 1));
        larger = fmaxf(larger, __shfl_xor_sync(0xffffffffu, larger, 2));
        const float shrink = exp2_approx((largest[m][half] - larger) * to_exponent);
        const float taken_off = larger * to_exponent;
        largest[m][half] = larger;
        sum[m][half] *= shrink;
#pragma unroll
        for (int n = 0; n < tile / 8; ++n) {
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
    add_product<D, M, tile>(scores, key + tile_size<D>, mixed);
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
  store_rows<D, M>(mixed, inverse, out.row(first + row) + place.column, out.stride(), rows - row, dim);
}

/// The gradients of queries, or of keys and values. Both take the scores of their rows against one tile of columns
/// after the other; with `for_keys`, rows are keys and columns queries:
///
///   p = exp(scores - lse), ds = p (dout valuesᵀ - delta)
///   dq = scale ds k, or dk = scale dsᵀ q and dv = pᵀ dout
///
/// Each gradient has one writer, so that no order of blocks can change it; scores are computed twice for it.
template <int D, bool for_keys>
__global__ void __launch_bounds__(threads, backward_cut<D>.blocks)
    backward_kernel(AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v, Mat<const float> lse,
                    Mat<const float> delta, Mat<const bf16> dout, Mat<bf16> dq, Mat<bf16> dk, Mat<bf16> dv) {
  constexpr Cut cut = backward_cut<D>;
  constexpr int M = cut.fragments;
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
  bf16* const row_scores = dynamic_shared<bf16>();
  bf16* const row_gradients = row_scores + cut.block_rows() * stride<D>;
  bf16* const column_tiles = row_gradients + cut.block_rows() * stride<D>;
  float* const column_stats = reinterpret_cast<float*>(column_tiles + 4 * tile_size<D>);
  const auto& row_source = for_keys ? k : q;
  const auto& row_gradient_source = for_keys ? v : dout;
  const auto& column_source = for_keys ? q : k;
  const auto& column_gradient_source = for_keys ? dout : v;
  const auto copy_columns = [&](int begin, int stage) {
    const Index from = place.b * columns + begin;
    bf16* const to = column_tiles + stage * 2 * tile_size<D>;
    copy_rows<D, tile>(column_source.row(from) + place.column, column_source.stride(), columns - begin, dim, to);
    copy_rows<D, tile>(column_gradient_source.row(from) + place.column, column_gradient_source.stride(),
                       columns - begin, dim, to + tile_size<D>);
    if (for_keys && threadIdx.x < tile) {
      const int i = begin + static_cast<int>(threadIdx.x);
      float* const stats = column_stats + stage * 2 * tile + threadIdx.x;
      // A query that is not there: p = 0.
      stats[0] = i < columns ? lse(place.head, i) * log2_e : INFINITY;
      stats[tile] = i < columns ? delta(place.head, i) : 0.0f;
    }
  };

  const Index first = place.b * all_rows + place.first;
  copy_rows<D, cut.block_rows()>(row_source.row(first) + place.column, row_source.stride(), rows, dim, row_scores);
  copy_rows<D, cut.block_rows()>(row_gradient_source.row(first) + place.column, row_gradient_source.stride(), rows, dim,
                                 row_gradients);
  commit_copies();
  copy_columns(0, 0);
  commit_copies();
  float row_lse[M][2] = {};
  float row_delta[M][2] = {};
  if (!for_keys) {
    for (int m = 0; m < M; ++m) {
      for (int half = 0; half < 2; ++half) {
        const int i = row + 16 * m + row_of(half);
        if (i >= rows) continue;
        row_lse[m][half] = lse(place.head, place.first + i) * log2_e;
        row_delta[m][half] = delta(place.head, place.first + i);
      }
    }
  }
  wait_copies<1>();
  __syncthreads();
  const LeftFactor<D, M, cut.keeps_rows> for_scores(row_scores + row * stride<D>);
  const LeftFactor<D, M, cut.keeps_rows> for_gradients(row_gradients + row * stride<D>);
  Fragments<M, D> from_scores = {};
  Fragments<M, D> from_values = {};
  for_each_tile(columns, copy_columns, [&](int begin, int stage) {
    const bf16* const tiles = column_tiles + stage * 2 * tile_size<D>;
    const float* const stats = column_stats + stage * 2 * tile;
#pragma unroll 1
    for (int part = 0; part < tile; part += W) {
      const bf16* const of_scores = tiles + part * stride<D>;
      const bf16* const of_gradients = of_scores + tile_size<D>;
      Fragments<M, W> p;
      Fragments<M, W> ds;
      multiply_transposed<D, M, W>(for_scores, of_scores, p);
      multiply_transposed<D, M, W>(for_gradients, of_gradients, ds);
#pragma unroll
      for (int n = 0; n < W / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int column = part + column_of(n, e);
#pragma unroll
          for (int m = 0; m < M; ++m) {
            const float log_sum = for_keys ? stats[column] : row_lse[m][e / 2];
            const float taken_off = for_keys ? stats[tile + column] : row_delta[m][e / 2];
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
  const auto store = [&](const Fragments<M, D>& sums, const float(&factors)[M][2], Mat<bf16> to) {
    store_rows<D, M>(sums, factors, to.row(first + row) + place.column, to.stride(), rows - row, dim);
  };
  store(from_scores, scales, for_keys ? dk : dq);
  if (for_keys) store(from_values, ones, dv);
}

/// A block for as many of `rows` of each head as the cut says, with memory for `row_operands` of its rows, for two
/// stages of two tiles, and for `floats` values.
template <int D>
Grid grid(const AttentionShape& shape, Index rows, Cut cut, int row_operands, std::size_t floats) {
  const int block_rows = cut.block_rows();
  return {.blocks = shape.batch * shape.heads * ((rows + block_rows - 1) / block_rows),
          .threads = threads,
          .shared = sizeof(bf16) * static_cast<std::size_t>(row_operands * block_rows * stride<D> + 4 * tile_size<D>) +
                    sizeof(float) * floats};
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
      launch(ctx, flash::grid<D>(shape, shape.queries, flash::forward_cut<D>, 1, 0), flash::forward_kernel<D>, shape, q,
             k, v, out, lse);
    });
  }

  /// delta as attention_delta computes it.
  static void backward(Context& ctx, AttentionShape shape, Mat<const bf16> q, Mat<const bf16> k, Mat<const bf16> v,
                       Mat<const float> lse, Mat<const float> delta, Mat<const bf16> dout, Mat<bf16> dq, Mat<bf16> dk,
                       Mat<bf16> dv) {
    flash::with_padded(shape.head_dim, [&](auto padded) {
      constexpr int D = padded;
      constexpr flash::Cut cut = flash::backward_cut<D>;
      constexpr std::size_t stats = 4 * flash::tile;
      launch(ctx, flash::grid<D>(shape, shape.keys, cut, 2, stats), flash::backward_kernel<D, true>, shape, q, k, v,
             lse, delta, dout, dq, dk, dv);
      launch(ctx, flash::grid<D>(shape, shape.queries, cut, 2, 0), flash::backward_kernel<D, false>, shape, q, k, v,
             lse, delta, dout, dq, dk, dv);
    });
  }
};

}  // namespace vjepa::cuda
