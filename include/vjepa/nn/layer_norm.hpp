#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"

namespace vjepa {

/// y = (x - mean) / sqrt(var + eps) * weight + bias on rows of N features (Ba, Kiros, Hinton, arXiv
/// 1607.06450). The official transformers have an eps of 1e-6, the official pooler one of 1e-5.
template <Index N, Index InverseEps = 1'000'000>
struct LayerNorm {
  static constexpr double eps = 1.0 / static_cast<double>(InverseEps);

  template <class T>
  struct Params {
    View<T, N> weight;
    View<T, N> bias;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    visitor.param("weight", p.weight, Init::ones());
    visitor.param("bias", p.bias, Init::zeros());
  }

  /// Mean and reciprocal standard deviation of each row, [rows, 2]. Empty, they are not kept.
  template <Device D>
  struct Saved {
    View<Grad<D>, Dyn, 2> stats;

    static Saved take(Arena<D>& arena, Index rows) { return {arena.template take<Grad<D>, Dyn, 2>(rows)}; }
  };

  template <Device D>
  static void forward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, Out<D, N> y,
                      const Saved<D>& saved) {
    D::layer_norm(ctx, x, p.weight, p.bias, eps, y, saved.stats);
  }

  /// Overwrites dx with skip + the gradient through the norm, the gradient of a pre-norm residual branch;
  /// an empty skip is zero, and dx may be skip or dy. Accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, const Saved<D>& saved,
                       In<D, N> dy, In<D, N> skip, Out<D, N> dx, const Params<Grad<D>>& g) {
    D::layer_norm_backward(ctx, dy, x, p.weight, saved.stats, skip, dx, g.weight, g.bias);
  }
};

}  // namespace vjepa
