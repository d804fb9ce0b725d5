#pragma once

#include "vjepa/core/view.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// Products with weights by cuBLASLt, with the bias, the residual and the gradient of the bias in its epilogues.
///
/// GELU is a kernel of its own after the product: cuBLASLt's GELU epilogues compute the tanh form, which differs from
/// the exact one of the model by up to 5e-4. So `linear_gelu` takes GELU of what was rounded to S, as the backward pass
/// does, and `linear_backward_data_gelu` rounds twice, before and after the factor.
template <class S>
struct Linalg {
  static void linear(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> y);
  static void linear_residual(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<const S> skip,
                              Mat<S> y);
  static void linear_gelu(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> pre, Mat<S> y);
  static void linear_backward_data(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<S> dx);
  static void linear_backward_weights(Context& ctx, Mat<const S> x, Mat<const S> dy, Mat<float> dw, Vec<float> db);
  static void linear_backward_data_gelu(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<const S> pre, Mat<S> dx,
                                        Vec<float> db, Mat<S> active);
};

}  // namespace vjepa::cuda
