#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_classifier.hpp"
#include "vjepa/model/linear_classifier.hpp"
#include "vjepa/optim/schedule.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_step.hpp"
#include "vjepa/train/trainable.hpp"

namespace vjepa {

/// The attentive classifier on tokens and the linear one on their means, trained side by side by cross-entropy with the
/// official evaluation's AdamW, schedules and clipping. Schedules are functions of the number of the step.
template <Device D, PoolerDims Dims>
class ProbeTrainer {
 public:
  using Attentive = AttentiveClassifier<Dims>;
  using Linear = LinearClassifier<Dims.dim>;
  static constexpr Index dim = Dims.dim;

  ProbeTrainer(Context<D>& ctx, const ProbeConfig& config, Index iterations_per_epoch)
      : ctx_(&ctx),
        options_(config.optimization),
        classes_(config.data.num_classes),
        attentive_(ctx, Attentive{.depth = config.probe.depth, .classes = classes_}, config.seed, 0),
        linear_(ctx, Linear{.classes = classes_}, config.seed, 1),
        linear_wanted_(config.probe.linear),
        loss_(ctx, 1) {
    const Index total = options_.num_epochs * iterations_per_epoch;
    lr_ = {.start = options_.start_lr,
           .peak = options_.lr,
           .final = options_.final_lr,
           .warmup = static_cast<std::int64_t>(options_.warmup * static_cast<double>(iterations_per_epoch)),
           .total = total};
    decay_ = {.start = options_.weight_decay, .final = options_.final_weight_decay, .total = total};
  }

  /// Trains on tokens x [batch, tokens, dim] on the device, their means [batch, dim] and their classes. Throws Error,
  /// the weights untouched, when the loss is not finite.
  ProbeStep step(Seq<const Scalar<D>> x, std::span<const float> means, std::span<const std::int32_t> labels) {
    const Sequences s{.batch = x.extent(0), .tokens = x.extent(1)};
    const Array<D, std::int32_t> classes(*ctx_, labels);
    const Array<D, Scalar<D>> pooled(*ctx_, std::vector<Scalar<D>>(means.begin(), means.end()));
    const Array<D, Scalar<D>> logits(*ctx_, s.batch * classes_);
    const Array<D, Scalar<D>> linear_logits(*ctx_, s.batch * classes_);
    attentive_.clear_gradients(*ctx_);
    linear_.clear_gradients(*ctx_);
    loss_.clear(*ctx_);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      attentive_pass<E>(ctx, arena, s, In<E, dim>(x.data(), s.rows()), view(classes, s), matrix(logits, s));
      linear_pass<E>(ctx, arena, In<E, dim>(pooled.data(), s.batch), view(classes, s), matrix(linear_logits, s));
    });
    ProbeStep result{.loss = static_cast<double>(loss_.download(*ctx_)[0]),
                     .logits = host(logits),
                     .linear_logits = host(linear_logits)};
    update(result.loss);
    return result;
  }

  /// Logits [batch, classes] of tokens [batch, tokens, dim] on the device.
  std::vector<float> logits(Seq<const Scalar<D>> x) {
    const Sequences s{.batch = x.extent(0), .tokens = x.extent(1)};
    const Array<D, Scalar<D>> out(*ctx_, s.batch * classes_);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      Attentive::template infer<E>(ctx, arena, attentive_.params(), s, In<E, dim>(x.data(), s.rows()), matrix(out, s));
    });
    return host(out);
  }

  /// Logits [batch, classes] of the linear classifier, of means [batch, dim].
  std::vector<float> linear_logits(std::span<const float> means) {
    const Sequences s{.batch = static_cast<Index>(means.size()) / dim, .tokens = 1};
    const Array<D, Scalar<D>> x(*ctx_, std::vector<Scalar<D>>(means.begin(), means.end()));
    const Array<D, Scalar<D>> out(*ctx_, s.batch * classes_);
    Linear::template forward<D>(*ctx_, linear_.params(), In<D, dim>(x.data(), s.batch), matrix(out, s));
    return host(out);
  }

  /// Steps trained so far.
  std::int64_t steps() const { return step_; }

  void save(StateDict& state) {
    attentive_.save(*ctx_, "classifier.", "opt.", state);
    linear_.save(*ctx_, "linear_classifier.", "linear_opt.", state);
  }
  void load(const Checkpoint& file, std::int64_t steps) {
    attentive_.load(*ctx_, "classifier.", "opt.", file, steps);
    linear_.load(*ctx_, "linear_classifier.", "linear_opt.", file, steps);
    step_ = steps;
  }

 private:
  static Labels view(const Array<D, std::int32_t>& labels, Sequences s) { return Labels(labels.data(), s.batch); }
  Mat<Scalar<D>> matrix(const Array<D, Scalar<D>>& logits, Sequences s) const {
    return Mat<Scalar<D>>(logits.data(), s.batch, classes_);
  }
  std::vector<float> host(const Array<D, Scalar<D>>& values) const {
    const auto copy = values.download(*ctx_);
    return {copy.begin(), copy.end()};
  }

  template <class E>
  void attentive_pass(Context<E>& ctx, Arena<E>& arena, Sequences s, In<E, dim> x, Labels labels,
                      Mat<Scalar<E>> logits) {
    const typename Arena<E>::Scope scope(arena);
    const auto dlogits = arena.template take<Scalar<E>, Dyn, Dyn>(s.batch, classes_);
    const auto dx = arena.template take<Scalar<E>, Dyn, dim>(s.rows());
    typename Attentive::template Saved<E> saved;
    Attentive::template forward<E>(ctx, arena, attentive_.params(), s, x, logits, saved);
    E::cross_entropy(ctx, logits, labels, 1.0 / static_cast<double>(s.batch), loss_.view(), dlogits);
    Attentive::template backward<E>(ctx, arena, attentive_.params(), s, saved, dlogits, dx, attentive_.gradients());
  }

  template <class E>
  void linear_pass(Context<E>& ctx, Arena<E>& arena, In<E, dim> x, Labels labels, Mat<Scalar<E>> logits) {
    const typename Arena<E>::Scope scope(arena);
    const auto dlogits = arena.template take<Scalar<E>, Dyn, Dyn>(x.rows(), classes_);
    const auto own_loss = arena.template take<Grad<E>, Dyn>(Index{1});
    Linear::template forward<E>(ctx, linear_.params(), x, logits);
    E::clear(ctx, own_loss.data(), sizeof(Grad<E>));
    E::cross_entropy(ctx, logits, labels, 1.0 / static_cast<double>(x.rows()), own_loss, dlogits);
    Linear::template backward<E>(ctx, linear_.params(), x, dlogits, {}, linear_.gradients());
  }

  void update(double loss) {
    const double lr = lr_(step_);
    const double decay = decay_(step_);
    const double norm = std::isfinite(loss) ? attentive_.update(*ctx_, lr, decay, options_.clip_grad) : loss;
    if (!std::isfinite(norm)) {
      fail("the loss is ", loss, " and its gradient has norm ", norm, " at step ", step_,
           "; the weights keep the values before it. Try a lower optimization.lr or a longer warmup");
    }
    const double linear_norm = linear_.update(*ctx_, lr, decay, options_.clip_grad);
    if (linear_wanted_ && !std::isfinite(linear_norm)) {
      fail("the gradient of the linear probe has norm ", linear_norm, " at step ", step_,
           "; try a lower optimization.lr, or probe.linear: false");
    }
    ++step_;
  }

  Context<D>* ctx_;
  ProbeConfig::Optimization options_;
  Index classes_;
  Trainable<D, Attentive> attentive_;
  Trainable<D, Linear> linear_;
  bool linear_wanted_;
  Array<D, Grad<D>> loss_;
  Workspace<D> workspace_;
  WarmupCosine lr_;
  CosineWeightDecay decay_;
  std::int64_t step_ = 0;
};

}  // namespace vjepa
