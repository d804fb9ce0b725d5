#pragma once

#include "vjepa/core/view.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// LayerNorm: a warp for each row, which it keeps in registers.
template <class S>
struct Rows {
  static void layer_norm(Context& ctx, Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, double eps, Mat<S> y,
                         Mat<float> stats);
  static void layer_norm_backward(Context& ctx, Mat<const S> dy, Mat<const S> x, Vec<const S> gamma,
                                  Mat<const float> stats, Mat<const S> skip, Mat<S> dx, Vec<float> dgamma,
                                  Vec<float> dbeta);
  static void normalize(Context& ctx, Mat<const S> x, double eps, Mat<S> y);
};

}  // namespace vjepa::cuda
