#pragma once

#include <algorithm>
#include <cassert>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/math.hpp"
#include "vjepa/cpu/rows.hpp"

namespace vjepa::cpu {

/// How an [m, n] result is cut into tiles, from its shape alone: tiles large enough that packing the
/// operands costs little beside multiplying them, small enough to stay in a second-level cache, and enough
/// of them for many threads. The longer side is cut first: each row of tiles packs the right operand again, each column
/// the left one.
struct TileGrid {
  Index rows;
  Index cols;

  TileGrid(Index m, Index n) : rows(split(m, 192)), cols(split(n, 512)) {
    while (std::max(rows, cols) > 48 && pieces(m, rows) * pieces(n, cols) < 16) {
      if (rows > cols) {
        rows = split(m, rows / 2);
      } else {
        cols = split(n, cols / 2);
      }
    }
  }

  /// Size of the pieces when `size` is cut into equal ones of at most `most`, a multiple of 16.
  static Index split(Index size, Index most) {
    const Index count = std::max<Index>(1, pieces(size, most));
    return std::max<Index>(16, (pieces(size, count) + 15) / 16 * 16);
  }
};

/// Products with weights, by tiles of a product policy; what follows a product (bias, GELU, residual) is
/// applied to each tile while it is in cache.
template <class S, class Gemm>
struct Linalg {
  using T = Grad<S>;

  static void linear(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> y) {
    product(ctx, rows_of(x), transposed(w), y.rows(), y.cols(), x.cols(),
            [&](Index row, Index col, const T* tile, Index count) {
              const S* b = bias.data() + col;
              S* out = y.row(row) + col;
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] = tile[j] + T(b[j]);
            });
  }

  static void linear_residual(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<const S> skip,
                              Mat<S> y) {
    product(ctx, rows_of(x), transposed(w), y.rows(), y.cols(), x.cols(),
            [&](Index row, Index col, const T* tile, Index count) {
              const S* b = bias.data() + col;
              const S* s = skip.row(row) + col;
              S* out = y.row(row) + col;
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] = T(s[j]) + (tile[j] + T(b[j]));
            });
  }

  static void linear_gelu(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> pre, Mat<S> y) {
    product(ctx, rows_of(x), transposed(w), y.rows(), y.cols(), x.cols(),
            [&](Index row, Index col, const T* tile, Index count) {
              const S* b = bias.data() + col;
              S* out = y.row(row) + col;
      // Rounded to S first, so that the backward pass sees the value GELU was taken of.
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] = tile[j] + T(b[j]);
              if (!pre.empty()) std::copy_n(out, count, pre.row(row) + col);
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] = T(out[j]) * normal_below<S>(T(out[j]));
            });
  }

  static void linear_backward_data(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<S> dx) {
    product(ctx, rows_of(dy), rows_of(w), dx.rows(), dx.cols(), dy.cols(),
            [&](Index row, Index col, const T* tile, Index count) {
              S* out = dx.row(row) + col;
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] = tile[j];
            });
  }

  static void linear_backward_weights(Context& ctx, Mat<const S> x, Mat<const S> dy, Mat<T> dw, Vec<T> db) {
    assert(x.rows() == dy.rows());
    product(ctx, transposed(dy), rows_of(x), dw.rows(), dw.cols(), x.rows(),
            [&](Index row, Index col, const T* tile, Index count) {
              T* out = dw.row(row) + col;
#pragma omp simd
              for (Index j = 0; j < count; ++j) out[j] += tile[j];
            });
    if (!db.empty()) Rows<S>::add_column_sums(ctx, dy, db);
  }

  static void linear_backward_data_gelu(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<const S> pre, Mat<S> dx,
                                        Vec<T> db, Mat<S> active) {
    product(ctx, rows_of(dy), rows_of(w), dx.rows(), dx.cols(), dy.cols(),
            [&](Index row, Index col, const T* tile, Index count) {
              const S* p = pre.row(row) + col;
              S* out = dx.row(row) + col;
              S* value = active.row(row) + col;
#pragma omp simd
              for (Index j = 0; j < count; ++j) {
                const T x = T(p[j]);
                const T below = normal_below<S>(x);
                value[j] = x * below;
                out[j] = tile[j] * (below + x * normal_density<S>(x));
              }
            });
    Rows<S>::add_column_sums(ctx, dx, db);
  }

 private:
  // A scalar the policy cannot multiply is converted in pieces of this depth.
  static constexpr Index converted_depth = 1024;

  static Operand<S> rows_of(Mat<const S> x) {
    return {x.data(), x.stride(), false};
  }
  static Operand<S> transposed(Mat<const S> x) {
    return {x.data(), x.stride(), true};
  }

  /// Computes a [m, k] b [k, n] tile by tile and calls store(row, col, values, count) for each row of each
  /// tile.
  template <class Store>
  static void product(Context& ctx, Operand<S> a, Operand<S> b, Index m, Index n, Index k, Store&& store) {
    if (m == 0 || n == 0) return;
    const TileGrid grid(m, n);
    const Index across = pieces(n, grid.cols);
    parallel_for(ctx, pieces(m, grid.rows) * across, [&](Index i, int thread) {
      const Index row = i / across * grid.rows;
      const Index col = i % across * grid.cols;
      const Index height = std::min(grid.rows, m - row);
      const Index width = std::min(grid.cols, n - col);
      const T* tile = multiply(ctx, thread, a.at(row, 0), b.at(0, col), height, width, k);
      for (Index r = 0; r < height; ++r) store(row + r, col, tile + r * width, width);
    });
  }

  /// One tile, [m, n] dense in the thread's scratch memory.
  static const T* multiply(Context& ctx, int thread, Operand<S> a, Operand<S> b, Index m, Index n, Index k) {
    if (k == 0) {  // which not every policy knows
      T* const zeros = ctx.scratch<T>(thread, m * n);
      std::fill_n(zeros, m * n, T(0));
      return zeros;
    }
    if constexpr (Gemm::template supports<S>) {
      T* const tile = ctx.scratch<T>(thread, m * n);
      Gemm::multiply(a, b, m, n, k, false, tile, n);
      return tile;
    } else {
      const Index depth = std::min(k, converted_depth);
      T* const tile = ctx.scratch<T>(thread, m * n + (m + n) * depth);
      T* const left = tile + m * n;
      T* const right = left + m * depth;
      for (Index begin = 0; begin < k; begin += depth) {
        const Index count = std::min(depth, k - begin);
        Gemm::multiply(widened(a.at(0, begin), m, count, left), widened(b.at(begin, 0), count, n, right), m, n, count,
                       begin > 0, tile, n);
      }
      return tile;
    }
  }
};

}  // namespace vjepa::cpu
