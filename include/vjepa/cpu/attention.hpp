#pragma once

#include <algorithm>
#include <cmath>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// Attention by blocks of queries: a block's scores against all keys are held at once, so that memory is
/// linear in the tokens and softmax needs no rescaling. Heads are copied out densely, in Grad precision,
/// which costs little beside the products.
template <class S, class Gemm>
struct Attention {
  using T = Grad<S>;

  static void attention(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                        Mat<T> lse) {
    const Index heads = shape.heads;
    const Index queries = shape.queries;
    const Index keys = shape.keys;
    const Index dim = shape.head_dim;
    const T scale = T(1) / std::sqrt(T(dim));
    const Index parts = (queries + queries_per_task - 1) / queries_per_task;
    parallel_for(ctx, shape.batch * heads * parts, [&](Index task, int thread) {
      const Index head = task / parts;
      const Index b = head / heads;
      const Index column = head % heads * dim;
      const Index begin = task % parts * queries_per_task;
      const Index end = std::min(queries, begin + queries_per_task);

      T* const k_head = ctx.scratch<T>(thread, 2 * keys * dim + block * (keys + 2 * dim));
      T* const v_head = k_head + keys * dim;
      T* const q_block = v_head + keys * dim;
      T* const o_block = q_block + block * dim;
      T* const scores = o_block + block * dim;
      copy_head(k, b * keys, keys, column, dim, T(1), k_head);
      copy_head(v, b * keys, keys, column, dim, T(1), v_head);

      for (Index first = begin; first < end; first += block) {
        const Index rows = std::min(block, end - first);
        copy_head(q, b * queries + first, rows, column, dim, scale, q_block);
        multiply({q_block, dim}, {k_head, dim, true}, rows, keys, dim, false, scores);
        for (Index i = 0; i < rows; ++i) {
          const T log_sum = softmax(scores + i * keys, keys);
          if (!lse.empty()) lse(head, first + i) = log_sum;
        }
        multiply({scores, keys}, {v_head, dim}, rows, dim, keys, false, o_block);
        store_head(o_block, out, b * queries + first, rows, column, dim);
      }
    });
  }

  static void attention_backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                                 Mat<const S> out, Mat<const T> lse, Mat<const S> dout, Mat<S> dq, Mat<S> dk,
                                 Mat<S> dv) {
    const Index heads = shape.heads;
    const Index queries = shape.queries;
    const Index keys = shape.keys;
    const Index dim = shape.head_dim;
    const T scale = T(1) / std::sqrt(T(dim));
    parallel_for(ctx, shape.batch * heads, [&](Index head, int thread) {
      const Index b = head / heads;
      const Index column = head % heads * dim;

      T* const k_head = ctx.scratch<T>(thread, 4 * keys * dim + block * (2 * keys + 4 * dim));
      T* const v_head = k_head + keys * dim;
      T* const dk_head = v_head + keys * dim;
      T* const dv_head = dk_head + keys * dim;
      T* const q_block = dv_head + keys * dim;
      T* const o_block = q_block + block * dim;
      T* const do_block = o_block + block * dim;
      T* const dq_block = do_block + block * dim;
      T* const p = dq_block + block * dim;
      T* const dp = p + block * keys;
      copy_head(k, b * keys, keys, column, dim, T(1), k_head);
      copy_head(v, b * keys, keys, column, dim, T(1), v_head);

      for (Index first = 0; first < queries; first += block) {
        const Index rows = std::min(block, queries - first);
        const Index row = b * queries + first;
        copy_head(q, row, rows, column, dim, scale, q_block);
        copy_head(out, row, rows, column, dim, T(1), o_block);
        copy_head(dout, row, rows, column, dim, T(1), do_block);
        multiply({q_block, dim}, {k_head, dim, true}, rows, keys, dim, false, p);
        multiply({do_block, dim}, {v_head, dim, true}, rows, keys, dim, false, dp);
        for (Index i = 0; i < rows; ++i) {
          const T log_sum = lse(head, first + i);
          T delta = 0;  // sum over keys of p dp = dout . out
#pragma omp simd reduction(+ : delta)
          for (Index j = 0; j < dim; ++j) delta += do_block[i * dim + j] * o_block[i * dim + j];
          T* const pi = p + i * keys;
          T* const dpi = dp + i * keys;
#pragma omp simd
          for (Index j = 0; j < keys; ++j) {
            pi[j] = exp(pi[j] - log_sum);
            dpi[j] = pi[j] * (dpi[j] - delta);
          }
        }
        multiply({p, keys, true}, {do_block, dim}, keys, dim, rows, first > 0, dv_head);
        multiply({dp, keys, true}, {q_block, dim}, keys, dim, rows, first > 0, dk_head);
        multiply({dp, keys}, {k_head, dim}, rows, dim, keys, false, dq_block);
        for (Index i = 0; i < rows * dim; ++i) dq_block[i] *= scale;
        store_head(dq_block, dq, row, rows, column, dim);
      }
      store_head(dk_head, dk, b * keys, keys, column, dim);
      store_head(dv_head, dv, b * keys, keys, column, dim);
    });
  }

 private:
  static constexpr Index block = 64;              // queries whose scores are held at once
  static constexpr Index queries_per_task = 512;  // a head is copied once for so many queries

  static void multiply(Operand<T> a, Operand<T> b, Index m, Index n, Index k, bool accumulate, T* c) {
    Gemm::multiply(a, b, m, n, k, accumulate, c, n);
  }

  static void copy_head(Mat<const S> from, Index row, Index rows, Index column, Index dim, T scale, T* to) {
    for (Index i = 0; i < rows; ++i) {
      const S* in = from.row(row + i) + column;
      for (Index j = 0; j < dim; ++j) to[i * dim + j] = T(in[j]) * scale;
    }
  }

  static void store_head(const T* from, Mat<S> to, Index row, Index rows, Index column, Index dim) {
    for (Index i = 0; i < rows; ++i) {
      S* out = to.row(row + i) + column;
      for (Index j = 0; j < dim; ++j) out[j] = S(from[i * dim + j]);
    }
  }

  /// In place; returns the log of the sum of exponentials.
  static T softmax(T* x, Index n) {
    T largest = x[0];
#pragma omp simd reduction(max : largest)
    for (Index j = 0; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < n; ++j) {
      x[j] = exp(x[j] - largest);
      sum += x[j];
    }
    const T inverse = T(1) / sum;
#pragma omp simd
    for (Index j = 0; j < n; ++j) x[j] *= inverse;
    return largest + std::log(sum);
  }
};

}  // namespace vjepa::cpu
