#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"

// What flash_attention.cuh's kernels are made of, for bf16 and float: tiles in shared memory, and what a warp has in
// registers. The products of both are in bf16_products.cuh and tf32_products.cuh.

namespace vjepa::cuda {

// A block of four warps has some rows of one head, D features each (the head's, and zeros to the next size there is),
// and meets all of the other side's in tiles, which are called columns here, the next tile being copied to shared
// memory while one is worked on. A warp keeps its own rows in registers, or reads them where it needs them.
namespace flash {

/// Columns at a time.
template <class S>
inline constexpr int tile = 128 / static_cast<int>(sizeof(S));
inline constexpr int warps = 4;
inline constexpr int threads = warps * warp_size;
inline constexpr float log2_e = 1.44269504f;

/// Elements between rows in shared memory, an odd number of 16 bytes: those of eight rows lie in different banks.
template <class S, int D>
inline constexpr int stride = D + (D * sizeof(S) % 32 == 0 ? 16 / static_cast<int>(sizeof(S)) : 0);
template <class S, int D>
inline constexpr int tile_size = tile<S>* stride<S, D>;

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
template <class S, int D, int rows>
__device__ void copy_rows(const S* from, Index from_stride, int count, int dim, S* to) {
  constexpr int values = 16 / static_cast<int>(sizeof(S));
  constexpr int pieces = D / values;
  constexpr int all = rows * pieces;
#pragma unroll
  for (int k = 0; k < (all + threads - 1) / threads; ++k) {
    const int i = k * threads + static_cast<int>(threadIdx.x);
    if (all % threads != 0 && i >= all) break;
    const int r = i / pieces;
    const int d = i % pieces * values;
    const bool there = r < count && d < dim;
    copy_async(to + r * stride<S, D> + d, there ? from + r * from_stride + d : from, there);
  }
}

/// The rows of a warp as the left factor of products, [16 M, D]; `kept` in registers, or read whenever they are used.
template <class S, int D, int M, bool kept>
class LeftFactor;

/// Two results that lie side by side.
__device__ inline void store_pair(bf16* to, float first, float second) {
  *reinterpret_cast<std::uint32_t*>(to) = pair_of(first, second);
}
__device__ inline void store_pair(float* to, float first, float second) {
  store(to, Pack<float, 2>{first, second});
}

/// to[r] = scale[m][half] * sums for the rows r < count of the fragments; `to` is the place of the first row.
template <class S, int D, int M>
__device__ void store_rows(const Fragments<M, D>& sums, const float (&scale)[M][2], S* to, Index to_stride, int count,
                           int dim) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = 16 * m + row_of(half);
      if (r >= count) continue;
      S* const out = to + r * to_stride;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        if (8 * n >= dim) continue;
        store_pair(out + column_of(n, 0), sums[m][n][2 * half] * scale[m][half],
                   sums[m][n][2 * half + 1] * scale[m][half]);
      }
    }
  }
}

/// a . b, of rows of a head, in each of the four lanes that have the row.
template <class S, int D>
__device__ float product_of_rows(const S* a, const S* b, int dim) {
  constexpr int V = 16 / static_cast<int>(sizeof(S));
  float sum = 0;
#pragma unroll
  for (int begin = 0; begin < D; begin += 4 * V) {
    const int d = begin + lane_index() % 4 * V;
    if (d >= dim) break;
    const auto x = load<V>(a + d);
    const auto y = load<V>(b + d);
    for (int v = 0; v < V; ++v) sum += static_cast<float>(x[v]) * static_cast<float>(y[v]);
  }
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  return sum + __shfl_xor_sync(0xffffffffu, sum, 2);
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
template <class S, class Copy, class Work>
__device__ void for_each_tile(int count, Copy&& copy, Work&& work) {
  int stage = 0;
  for (int begin = 0; begin < count; begin += tile<S>, stage = 1 - stage) {
    if (begin + tile<S> < count) copy(begin + tile<S>, 1 - stage);
    commit_copies();
    wait_copies<1>();
    __syncthreads();
    work(begin, stage);
    __syncthreads();
  }
}

/// A block for as many of `rows` of each head as the cut says, with memory for `row_operands` of its rows, for two
/// stages of two tiles, and for `floats` values.
template <class S, int D>
Grid grid(const AttentionShape& shape, Index rows, Cut cut, int row_operands, std::size_t floats) {
  const int block_rows = cut.block_rows();
  return {
      .blocks = shape.batch * shape.heads * ((rows + block_rows - 1) / block_rows),
      .threads = threads,
      .shared = sizeof(S) * static_cast<std::size_t>(row_operands * block_rows * stride<S, D> + 4 * tile_size<S, D>) +
                sizeof(float) * floats};
}

}  // namespace flash

}  // namespace vjepa::cuda
