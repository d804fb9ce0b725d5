#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// Mean and reciprocal standard deviation of a row, in two passes.
template <class S>
struct RowMoments {
  Grad<S> mean;
  Grad<S> rstd;

  RowMoments(const S* x, Index n, double eps) {
    using T = Grad<S>;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < n; ++j) sum += T(x[j]);
    mean = sum / T(n);
    const T center = mean;
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (Index j = 0; j < n; ++j) {
      const T centered = T(x[j]) - center;
      squares += centered * centered;
    }
    rstd = T(1) / std::sqrt(squares / T(n) + T(eps));
  }
};

/// Cuts `rows` into at most 64 chunks, by the shape alone: the partial sums of a reduction over rows.
inline Index rows_per_partial(Index rows) {
  return std::max<Index>(32, (rows + 63) / 64);
}

/// sums[j] += sum over partials of partials[p, j], always in the same order.
template <class T>
void add_partials(const Context& ctx, Mat<const T> partials, Vec<T> sums) {
  parallel_chunks(ctx, sums.rows(), 1024, [&](Range r, Index, int) {
    for (Index p = 0; p < partials.rows(); ++p) {
      const T* partial = partials.row(p);
      for (Index j = r.begin; j < r.end; ++j) sums.data()[j] += partial[j];
    }
  });
}

template <class S>
struct Rows {
  using T = Grad<S>;

  static void layer_norm(Context& ctx, Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, double eps, Mat<S> y,
                         Mat<T> stats) {
    const Index n = x.cols();
    assert(y.rows() == x.rows() && y.cols() == n);
    parallel_chunks(ctx, x.rows(), rows_per_chunk(n), [&](Range r, Index, int) {
      const S* g = gamma.data();
      const S* b = beta.data();
      for (Index i = r.begin; i < r.end; ++i) {
        const RowMoments<S> m(x.row(i), n, eps);
        const T mean = m.mean;
        const T rstd = m.rstd;
        const S* in = x.row(i);
        S* out = y.row(i);
#pragma omp simd
        for (Index j = 0; j < n; ++j) out[j] = (T(in[j]) - mean) * rstd * T(g[j]) + T(b[j]);
        if (!stats.empty()) {
          stats(i, 0) = mean;
          stats(i, 1) = rstd;
        }
      }
    });
  }

  static void layer_norm_backward(Context& ctx, Mat<const S> dy, Mat<const S> x, Vec<const S> gamma, Mat<const T> stats,
                                  Mat<const S> skip, Mat<S> dx, Vec<T> dgamma, Vec<T> dbeta) {
    const Index rows = x.rows();
    const Index n = x.cols();
    const Index chunk = rows_per_partial(rows);
    const Index chunks = pieces(rows, chunk);
    T* const partials = ctx.shared<T>(chunks * 2 * n);
    parallel_chunks(ctx, rows, chunk, [&](Range r, Index c, int) {
      T* const gamma_sums = partials + c * n;
      T* const beta_sums = partials + (chunks + c) * n;
      std::fill(gamma_sums, gamma_sums + n, T(0));
      std::fill(beta_sums, beta_sums + n, T(0));
      const S* g = gamma.data();
      for (Index i = r.begin; i < r.end; ++i) {
        const T mean = stats(i, 0);
        const T rstd = stats(i, 1);
        const S* in = x.row(i);
        const S* d = dy.row(i);
        T sum = 0;         // of dy gamma
        T correlated = 0;  // of dy gamma xhat
#pragma omp simd reduction(+ : sum, correlated)
        for (Index j = 0; j < n; ++j) {
          const T xhat = (T(in[j]) - mean) * rstd;
          const T dyj = T(d[j]);
          gamma_sums[j] += dyj * xhat;
          beta_sums[j] += dyj;
          sum += dyj * T(g[j]);
          correlated += dyj * T(g[j]) * xhat;
        }
        const T a = sum / T(n);
        const T b = correlated / T(n);
        const S* s = skip.empty() ? nullptr : skip.row(i);
        S* out = dx.row(i);
#pragma omp simd
        for (Index j = 0; j < n; ++j) {
          const T xhat = (T(in[j]) - mean) * rstd;
          const T direct = (T(d[j]) * T(g[j]) - a - xhat * b) * rstd;
          out[j] = s == nullptr ? direct : T(s[j]) + direct;
        }
      }
    });
    add_partials<T>(ctx, Mat<const T>(partials, chunks, n), dgamma);
    add_partials<T>(ctx, Mat<const T>(partials + chunks * n, chunks, n), dbeta);
  }

  static void normalize(Context& ctx, Mat<const S> x, double eps, Mat<S> y) {
    const Index n = x.cols();
    parallel_chunks(ctx, x.rows(), rows_per_chunk(n), [&](Range r, Index, int) {
      for (Index i = r.begin; i < r.end; ++i) {
        const RowMoments<S> m(x.row(i), n, eps);
        const S* in = x.row(i);
        S* out = y.row(i);
        for (Index j = 0; j < n; ++j) out[j] = (T(in[j]) - m.mean) * m.rstd;
      }
    });
  }

  /// sums[j] += sum over rows of x[i, j]
  static void add_column_sums(Context& ctx, Mat<const S> x, Vec<T> sums) {
    const Index rows = x.rows();
    const Index n = x.cols();
    const Index chunk = rows_per_partial(rows);
    const Index chunks = pieces(rows, chunk);
    T* const partials = ctx.shared<T>(chunks * n);
    parallel_chunks(ctx, rows, chunk, [&](Range r, Index c, int) {
      T* const partial = partials + c * n;
      std::fill(partial, partial + n, T(0));
      for (Index i = r.begin; i < r.end; ++i) {
        const S* in = x.row(i);
        for (Index j = 0; j < n; ++j) partial[j] += T(in[j]);
      }
    });
    add_partials<T>(ctx, Mat<const T>(partials, chunks, n), sums);
  }
};

}  // namespace vjepa::cpu
