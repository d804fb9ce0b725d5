#pragma once

#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"

namespace vjepa {

/// y = x Wᵀ + b on rows: x [rows, N], y [rows, M], W [M, N].
template <Index N, Index M>
struct Linear {
  template <class T>
  struct Params {
    View<T, M, N> weight;
    View<T, M> bias;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  /// `weights` is how the weights start; the bias starts at zero.
  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor, Init weights = Init::normal(weight_variance)) {
    visitor.param("weight", p.weight, weights);
    visitor.param("bias", p.bias, Init::zeros());
  }

  template <Device D>
  static void forward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, Out<D, M> y) {
    D::linear(ctx, x, p.weight, p.bias, y);
  }

  /// Overwrites dx, accumulates into the gradients g.
  template <Device D>
  static void backward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, In<D, M> dy, Out<D, N> dx,
                       const Params<Grad<D>>& g) {
    D::linear_backward_weights(ctx, x, dy, g.weight, g.bias);
    D::linear_backward_data(ctx, dy, p.weight, dx);
  }
};

}  // namespace vjepa
