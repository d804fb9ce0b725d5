#pragma once

#include <Eigen/Core>
#include <cassert>
#include <type_traits>

#include "vjepa/core/view.hpp"

namespace vjepa::cpu {

/// One operand of a product: a row-major matrix, read as it lies or transposed.
template <class T>
struct Operand {
  const T* data;
  Index stride;  // elements between rows as they lie
  bool transposed = false;

  /// The operand whose rows begin at row `i` and whose columns begin at column `j`.
  Operand at(Index i, Index j) const {
    return {data + (transposed ? j * stride + i : i * stride + j), stride, transposed};
  }
};

/// A dense copy, in T, of the [rows, cols] operand `from`, lying as it does. Overwrites rows * cols values at `to`.
template <class S, class T>
Operand<T> widened(const Operand<S>& from, Index rows, Index cols, T* to) {
  const Index lines = from.transposed ? cols : rows;
  const Index length = from.transposed ? rows : cols;
  for (Index i = 0; i < lines; ++i) {
    const S* line = from.data + i * from.stride;
#pragma omp simd
    for (Index j = 0; j < length; ++j) to[i * length + j] = T(line[j]);
  }
  return {to, length, from.transposed};
}

/// A product policy multiplies one tile on the calling thread:
///
///   c [m, n] = a [m, k] b [k, n], or += when `accumulate`
///
/// where at most one operand is transposed. It has a `name`, and `supports<T>` says whether `multiply` takes operands
/// of T (the result is always float or double). The CPU device cuts a product into tiles by shape alone and spreads
/// them over its threads, so a policy needs no threads and cannot make results depend on them. A scalar that the policy
/// does not support is converted tile by tile.
///
/// Eigen's product: always there.
struct EigenGemm {
  static constexpr const char* name = "Eigen";

  template <class T>
  static constexpr bool supports = std::is_floating_point_v<T>;

  // Not inlined: Eigen's product is much code, and one copy of it serves every caller.
  template <class T>
  [[gnu::noinline]] static void multiply(const Operand<T>& a, const Operand<T>& b, Index m, Index n, Index k,
                                         bool accumulate, T* c, Index c_stride) {
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Map = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;
    using ConstMap = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

    Map out(c, m, n, Eigen::OuterStride<>(c_stride));
    if (!accumulate) out.setZero();
    const ConstMap left(a.data, a.transposed ? k : m, a.transposed ? m : k, Eigen::OuterStride<>(a.stride));
    const ConstMap right(b.data, b.transposed ? n : k, b.transposed ? k : n, Eigen::OuterStride<>(b.stride));
    if (a.transposed) {
      assert(!b.transposed);
      out.noalias() += left.transpose() * right;
    } else if (b.transposed) {
      out.noalias() += left * right.transpose();
    } else {
      out.noalias() += left * right;
    }
  }
};

}  // namespace vjepa::cpu
