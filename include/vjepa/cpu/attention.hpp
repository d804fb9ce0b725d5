#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// Attention by blocks: the scores of a block of queries with all keys (forward) or of a block of keys with all
/// queries (backward) are held at once, so that memory is linear in the tokens and softmax needs no rescaling. Heads
/// are copied out densely, which costs little beside the products. Products take operands of S where the product policy
/// has them and of Grad<S> where it has not; scores and sums are Grad<S>.
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
    const Cut cut(queries, std::max(parts_of_head(shape), pieces(queries, queries_per_task)));
    parallel_for(ctx, shape.batch * heads * cut.parts, [&](Index task, int thread) {
      const Index head = task / cut.parts;
      const Index b = head / heads;
      const Index column = head % heads * dim;
      const Range part = cut.part(task % cut.parts);

      const Index sums = block * (keys + dim);
      T* const scores = ctx.scratch<T>(thread, sums + held_in<E>(2 * keys * dim + block * (keys + dim)));
      T* const o_block = scores + block * keys;
      E* const k_head = reinterpret_cast<E*>(scores + sums);
      E* const v_head = k_head + keys * dim;
      E* const q_block = v_head + keys * dim;
      E* const weights = q_block + block * dim;
      copy_head(k, b * keys, keys, column, dim, k_head);
      copy_head(v, b * keys, keys, column, dim, v_head);

      for (Index first = part.begin; first < part.end; first += cut.block) {
        const Index rows = std::min(cut.block, part.end - first);
        copy_head(q, b * queries + first, rows, column, dim, q_block);
        multiply({q_block, dim}, {k_head, dim, true}, rows, keys, dim, false, scores);
        T sum[block];
        for (Index i = 0; i < rows; ++i) {
          const T largest = exponentials(scores + i * keys, keys, scale, weights + i * keys, sum[i]);
          if (!lse.empty()) lse(head, first + i) = largest + std::log(sum[i]);
        }
        multiply({weights, keys}, {v_head, dim}, rows, dim, keys, false, o_block);
        for (Index i = 0; i < rows; ++i) {
          store_row(o_block + i * dim, T(1) / sum[i], dim, out.row(b * queries + first + i) + column);
        }
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
    const Cut cut(keys, parts_of_head(shape));
    // Each part of a head's keys has a sum of its own for dq; they are added in order when all are done.
    const Index sum_size = queries * dim;
    T* const partial = cut.parts > 1 ? ctx.shared<T>(shape.batch * heads * cut.parts * sum_size) : nullptr;
    parallel_for(ctx, shape.batch * heads * cut.parts, [&](Index task, int thread) {
      const Index head = task / cut.parts;
      const Index b = head / heads;
      const Index column = head % heads * dim;
      const Range part = cut.part(task % cut.parts);

      const Index sums = (1 + dim) * queries + 2 * block * (queries + dim);
      T* const delta = ctx.scratch<T>(thread, sums + held_in<E>(2 * queries * dim + 2 * block * (queries + dim)));
      T* const dq_head = cut.parts > 1 ? partial + task * sum_size : delta + queries;
      T* const scores = delta + queries + sum_size;
      T* const dscores = scores + block * queries;
      T* const dk_block = dscores + block * queries;
      T* const dv_block = dk_block + block * dim;
      E* const q_head = reinterpret_cast<E*>(delta + sums);
      E* const do_head = q_head + queries * dim;
      E* const k_block = do_head + queries * dim;
      E* const v_block = k_block + block * dim;
      E* const weights = v_block + block * dim;
      E* const dweights = weights + block * queries;
      copy_head(q, b * queries, queries, column, dim, q_head);
      copy_head(dout, b * queries, queries, column, dim, do_head);
      for (Index i = 0; i < queries; ++i) {
        delta[i] = dot(dout.row(b * queries + i) + column, out.row(b * queries + i) + column, dim);
      }

      const T* const log_sums = lse.row(head);
      for (Index first = part.begin; first < part.end; first += cut.block) {
        const Index rows = std::min(cut.block, part.end - first);
        const Index row = b * keys + first;
        copy_head(k, row, rows, column, dim, k_block);
        copy_head(v, row, rows, column, dim, v_block);
        multiply({k_block, dim}, {q_head, dim, true}, rows, queries, dim, false, scores);
        multiply({v_block, dim}, {do_head, dim, true}, rows, queries, dim, false, dscores);
        for (Index i = 0; i < rows; ++i) {
          const T* const s = scores + i * queries;
          const T* const ds = dscores + i * queries;
          E* const w = weights + i * queries;
          E* const dw = dweights + i * queries;
#pragma omp simd
          for (Index j = 0; j < queries; ++j) {
            const T weight = exp_for<E>(s[j] * scale - log_sums[j]);
            store(weight, w[j]);
            store(weight * (ds[j] - delta[j]), dw[j]);
          }
        }
        multiply({weights, queries}, {do_head, dim}, rows, dim, queries, false, dv_block);
        multiply({dweights, queries}, {q_head, dim}, rows, dim, queries, false, dk_block);
        multiply({dweights, queries, true}, {k_block, dim}, queries, dim, rows, first > part.begin, dq_head);
        for (Index i = 0; i < rows; ++i) {
          store_row(dv_block + i * dim, T(1), dim, dv.row(row + i) + column);
          store_row(dk_block + i * dim, scale, dim, dk.row(row + i) + column);
        }
      }
      if (cut.parts > 1) return;
      for (Index i = 0; i < queries; ++i) {
        store_row(dq_head + i * dim, scale, dim, dq.row(b * queries + i) + column);
      }
    });
    if (cut.parts > 1) add_parts(ctx, shape, cut.parts, partial, scale, dq);
  }

 private:
  /// What products are taken of.
  using E = std::conditional_t<Gemm::template supports<S>, S, T>;

  static constexpr Index block = 128;             // most queries (forward) or keys (backward) held at once
  static constexpr Index queries_per_task = 512;  // most of them; a head's keys are copied once for each task
  static constexpr Index fewest_tasks = 12;       // few heads are cut into parts, so that threads end together
  static constexpr Index smallest_part = 32;      // of queries or keys

  static Index parts_of_head(const AttentionShape& shape) {
    return pieces(fewest_tasks, std::max<Index>(1, shape.batch * shape.heads));
  }

  /// A head's queries or keys, cut into parts, one for each task, and parts into blocks: of equal size but for the
  /// last.
  struct Cut {
    Index size;
    Index part_size;
    Index parts;
    Index block;

    Cut(Index n, Index most_parts)
        : size(n),
          part_size(std::max(smallest_part, pieces(n, most_parts))),
          parts(pieces(n, part_size)),
          block(pieces(part_size, pieces(part_size, Attention::block))) {}

    Range part(Index i) const { return {i * part_size, std::min(size, (i + 1) * part_size)}; }
  };

  /// How many T hold `count` of U.
  template <class U>
  static constexpr Index held_in(Index count) {
    return (count * Index(sizeof(U)) + Index(sizeof(T)) - 1) / Index(sizeof(T));
  }

  static void multiply(Operand<E> a, Operand<E> b, Index m, Index n, Index k, bool accumulate, T* c) {
    Gemm::multiply(a, b, m, n, k, accumulate, c, n);
  }

  static void copy_head(Mat<const S> from, Index row, Index rows, Index column, Index dim, E* to) {
    for (Index i = 0; i < rows; ++i) {
      const S* in = from.row(row + i) + column;
      std::copy(in, in + dim, to + i * dim);
    }
  }

  /// Row i of head h of dq = scale times the sum of partial[h, p, i] over the parts p; overwrites those of part 0.
  static void add_parts(Context& ctx, const AttentionShape& shape, Index parts, T* partial, T scale, Mat<S> dq) {
    const Index queries = shape.queries;
    const Index dim = shape.head_dim;
    parallel_chunks(ctx, shape.batch * shape.heads * queries, rows_per_chunk(parts * dim), [&](Range rows, Index, int) {
      for (Index row = rows.begin; row < rows.end; ++row) {
        const Index head = row / queries;
        const Index i = row % queries;
        T* const sum = partial + (head * parts * queries + i) * dim;
        for (Index p = 1; p < parts; ++p) {
          const T* const more = sum + p * queries * dim;
#pragma omp simd
          for (Index j = 0; j < dim; ++j) sum[j] += more[j];
        }
        store_row(sum, scale, dim, dq.row(head / shape.heads * queries + i) + head % shape.heads * dim);
      }
    });
  }

  static void store_row(const T* from, T factor, Index dim, S* to) {
#pragma omp simd
    for (Index j = 0; j < dim; ++j) to[j] = from[j] * factor;
  }

  /// There is one rounding for each score: to nearest, with ties away from zero, which is half the work of ties to
  /// even. The NaN that arithmetic makes stays one.
  static void store(T value, E& to) {
    if constexpr (std::is_same_v<E, bf16>) {
      to.bits = static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(value) + 0x8000u) >> 16);
    } else {
      to = value;
    }
  }

  static T dot(const S* a, const S* b, Index n) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < n; ++j) sum += T(a[j]) * T(b[j]);
    return sum;
  }

  /// out[j] = exp(scale x[j] - largest) and their sum before rounding; returns largest, that of all scale x[j].
  static T exponentials(const T* x, Index n, T scale, E* out, T& sum) {
    T largest = x[0];
#pragma omp simd reduction(max : largest)
    for (Index j = 0; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
    largest *= scale;
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (Index j = 0; j < n; ++j) {
      const T e = exp_for<E>(x[j] * scale - largest);
      store(e, out[j]);
      total += e;
    }
    sum = total;
    return largest;
  }
};

}  // namespace vjepa::cpu
