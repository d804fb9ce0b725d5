#pragma once

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// The losses, whose sums are double and come in one order in every run.
template <class S>
struct Losses {
  static void power_loss(Context& ctx, Seq<const S> z, Seq<const S> h, double p, double weight, Vec<float> loss,
                         Seq<S> dz);
  static void token_std(Context& ctx, Seq<const S> z, double eps, double weight, Mat<float> std);
  static void hinge(Context& ctx, Mat<const float> std, double weight, Vec<float> loss, Mat<float> dstd);
  static void token_std_backward(Context& ctx, Seq<const S> z, double eps, Mat<const float> dstd, double weight,
                                 Seq<S> dz);
  static void cross_entropy(Context& ctx, Mat<const S> logits, Labels labels, double weight, Vec<float> loss,
                            Mat<S> dlogits);
};

}  // namespace vjepa::cuda
