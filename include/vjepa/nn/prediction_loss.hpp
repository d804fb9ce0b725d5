#pragma once

#include <cstddef>

#include "vjepa/core/device.hpp"

namespace vjepa {

/// The pretraining loss over mask groups i = 1 .. G (V-JEPA, arXiv 2404.08471, section 3, and the official
/// trainer):
///
///   L = 1/G sum_i mean |z_i - h_i|^p / p  +  c mean relu(1 - 1/G sum_i sqrt(var_tokens(z_i) + 1e-4))
///
/// with predictions z_i [batch, tokens_i, N], targets h_i of the same shape, p = `exponent` and c =
/// `reg_coeff`. Groups are added one by one, whole or some samples at a time; the second term couples them, so that its
/// gradient can be taken only after the last.
template <Device D>
class PredictionLoss {
 public:
  struct Terms {
    Vec<Grad<D>> jepa;  // one value each, on the device
    Vec<Grad<D>> reg;
  };

  /// `deviations` [batch, N] is working memory; it and the terms are cleared here.
  PredictionLoss(Context<D>& ctx, double exponent, double reg_coeff, Index groups, Mat<Grad<D>> deviations, Terms terms)
      : exponent_(exponent),
        reg_coeff_(reg_coeff),
        share_(1.0 / static_cast<double>(groups)),
        deviations_(deviations),
        terms_(terms) {
    clear(ctx, terms_.jepa);
    clear(ctx, terms_.reg);
    clear(ctx, deviations_.flat());
  }

  /// Whether the groups are coupled, and all predictions must be kept until the last is added.
  bool coupled() const { return reg_coeff_ != 0; }

  /// Adds the first term and the share of the deviations of one group's samples from `first` on, as many as z has;
  /// overwrites dz with the gradient of the first term.
  void add(Context<D>& ctx, Index first, Seq<const Scalar<D>> z, Seq<const Scalar<D>> h, Seq<Scalar<D>> dz) {
    const Index of_group = deviations_.rows() * z.extent(1) * z.extent(2);
    D::power_loss(ctx, z, h, exponent_, share_ / static_cast<double>(of_group), terms_.jepa, dz);
    D::token_std(ctx, z, eps, share_, deviations_.slice(first, z.rows()));
  }

  /// After the last group: adds the second term. Overwrites ddeviations [batch, N].
  void finish(Context<D>& ctx, Mat<Grad<D>> ddeviations) {
    D::hinge(ctx, deviations_, 1.0 / static_cast<double>(deviations_.size()), terms_.reg, ddeviations);
  }

  /// After finish: adds to dz the gradient of the second term.
  void add_coupled(Context<D>& ctx, Seq<const Scalar<D>> z, Mat<const Grad<D>> ddeviations, Seq<Scalar<D>> dz) {
    D::token_std_backward(ctx, z, eps, ddeviations, reg_coeff_ * share_, dz);
  }

 private:
  static constexpr double eps = 1e-4;

  static void clear(Context<D>& ctx, Vec<Grad<D>> v) {
    D::clear(ctx, v.data(), sizeof(Grad<D>) * static_cast<std::size_t>(v.size()));
  }

  double exponent_;
  double reg_coeff_;
  double share_;
  Mat<Grad<D>> deviations_;
  Terms terms_;
};

}  // namespace vjepa
