#pragma once

#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"

namespace vjepa {

/// logits = x Wᵀ + b on rows x of N features; the number of classes is a run-time value.
template <Index N>
struct LinearClassifier {
  static constexpr Index dim = N;

  Index classes = 0;

  template <class T>
  struct Params {
    View<T, Dyn, N> weight;
    View<T, Dyn> bias;
  };

  template <class T>
  constexpr Params<T> params() const {
    return {View<T, Dyn, N>(nullptr, classes), View<T, Dyn>(nullptr, classes)};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    // The variance of torch.nn.Linear's own start, uniform within 1 / sqrt(N), which the official probe keeps.
    constexpr double variance = 1.0 / (3.0 * static_cast<double>(N));
    visitor.param("weight", p.weight, Init::normal(variance));
    visitor.param("bias", p.bias, Init::normal(variance));
  }

  /// x [rows, N]; overwrites logits [rows, classes].
  template <Device D>
  static void forward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, Mat<Scalar<D>> logits) {
    D::linear(ctx, x, p.weight, p.bias, logits);
  }

  /// Overwrites dx, unless it is empty; accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, const Params<const Scalar<D>>& p, In<D, N> x, Mat<const Scalar<D>> dlogits,
                       Out<D, N> dx, const Params<Grad<D>>& g) {
    D::linear_backward_weights(ctx, x, dlogits, g.weight, g.bias);
    if (!dx.empty()) D::linear_backward_data(ctx, dlogits, p.weight, dx);
  }
};

}  // namespace vjepa
