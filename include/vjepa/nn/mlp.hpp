#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/linear.hpp"

namespace vjepa {

/// y = skip + fc2(gelu(fc1(x))), the second half of a transformer block, with exact GELU.
template <Index N, Index Hidden>
struct Mlp {
  using Fc1 = Linear<N, Hidden>;
  using Fc2 = Linear<Hidden, N>;

  template <class T>
  struct Params {
    typename Fc1::template Params<T> fc1;
    typename Fc2::template Params<T> fc2;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  /// `out` is how the weights of fc2 start.
  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor, Init out = Init::normal(weight_variance)) {
    Fc1::visit(p.fc1, visitor.scope("fc1"));
    Fc2::visit(p.fc2, visitor.scope("fc2"), out);
  }

  /// What GELU was taken of, [rows, Hidden]; its value is cheap to compute again, and takes its place then. Empty, it
  /// is not kept.
  template <Device D>
  struct Saved {
    Out<D, Hidden> pre;

    static Saved take(Arena<D>& arena, Index rows) { return {arena.template take<Scalar<D>, Dyn, Hidden>(rows)}; }
  };

  /// y may be skip.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, In<D, N> x, In<D, N> skip,
                      Out<D, N> y, const Saved<D>& saved) {
    const typename Arena<D>::Scope scope(arena);
    const auto active = arena.template take<Scalar<D>, Dyn, Hidden>(x.rows());
    D::linear_gelu(ctx, x, p.fc1.weight, p.fc1.bias, saved.pre, active);
    D::linear_residual(ctx, active, p.fc2.weight, p.fc2.bias, skip, y);
  }

  /// Overwrites dx with the gradient of x (that of skip is dy) and what was saved, accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, In<D, N> x,
                       const Saved<D>& saved, In<D, N> dy, Out<D, N> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto active = saved.pre;
    const auto dpre = arena.template take<Scalar<D>, Dyn, Hidden>(x.rows());
    D::linear_backward_data_gelu(ctx, dy, p.fc2.weight, saved.pre, dpre, g.fc1.bias, active);
    D::linear_backward_weights(ctx, active, dy, g.fc2.weight, g.fc2.bias);
    D::linear_backward_weights(ctx, x, dpre, g.fc1.weight, Vec<Grad<D>>());
    D::linear_backward_data(ctx, dpre, p.fc1.weight, dx);
  }
};

}  // namespace vjepa
