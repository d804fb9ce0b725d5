#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/instructions.cuh"
#include "vjepa/cuda/launch.cuh"

// What flash_attention.cuh's kernels are made of: tiles in shared memory, and products of them with what a warp has in
// registers.

namespace vjepa::cuda {

// A block of four warps has some rows of one head, D features each (the head's, and zeros to the next size there is),
// and meets all of the other side's in tiles of 64, which are called columns here, the next tile being copied to shared
// memory while one is worked on. A warp keeps its own rows in registers.
namespace flash {

inline constexpr int tile = 64;
inline constexpr int warps = 4;
inline constexpr int threads = warps * warp_size;
inline constexpr float log2_e = 1.44269504f;

/// Elements between rows in shared memory, an odd number of 16 bytes: those of eight rows lie in different banks.
template <int D>
inline constexpr int stride = D % 16 == 0 ? D + 8 : D;
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

/// Products go through 16 features at a time, and at last through eight.
template <int D>
inline constexpr bool has_tail = D % 16 != 0;

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
  constexpr int all = rows * pieces;
#pragma unroll
  for (int k = 0; k < (all + threads - 1) / threads; ++k) {
    const int i = k * threads + static_cast<int>(threadIdx.x);
    if (all % threads != 0 && i >= all) break;
    const int r = i / pieces;
    const int d = i % pieces * 8;
    const bool there = r < count && d < dim;
    copy_async(to + r * stride<D> + d, there ? from + r * from_stride + d : from, there);
  }
}

/// What this lane gives to load_matrices for the 16 x 16 values from (row, d) on: first the upper eight rows, then the
/// lower, then the next eight columns of both. Of two matrices it is the 16 x 8 values.
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

}  // namespace flash

}  // namespace vjepa::cuda
