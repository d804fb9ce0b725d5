#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/data/cut_clip.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/optim/adamw.hpp"
#include "vjepa/optim/schedule.hpp"
#include "vjepa/train/clip_feed.hpp"
#include "vjepa/train/feature_spread.hpp"
#include "vjepa/train/jepa_pass.hpp"
#include "vjepa/train/pretrain_config.hpp"
#include "vjepa/train/sample_masks.hpp"
#include "vjepa/train/step_report.hpp"

namespace vjepa {

/// Encoder, target encoder, predictor and their optimizers, and the step that trains them (the official trainer's):
/// masks, the JEPA pass, clipping of each network's gradient after the warm-up, AdamW, the moving average.
///
/// Everything a step draws or schedules is a function of the seed and the number of the step, so that the state is the
/// weights, the moments and that number.
template <Device D, class Encoder, class PredictorModel>
class Pretrainer {
 public:
  using T = Grad<D>;

  Pretrainer(Context<D>& ctx, const PretrainConfig& config, Index iterations_per_epoch)
      : ctx_(&ctx),
        config_(config),
        ipe_(iterations_per_epoch),
        size_{.frames = config.data.num_frames, .height = config.data.crop_size, .width = config.data.crop_size},
        grid_(Encoder::grid(size_)),
        encoder_(ctx, Encoder{}),
        target_(ctx, Encoder{}),
        predictor_(ctx, PredictorModel{.depth = config.model.pred_depth,
                                       .mask_tokens = static_cast<Index>(config.mask.size()),
                                       .zero_init_mask_tokens = config.model.zero_init_mask_tokens}),
        encoder_gradient_(ctx, encoder_.layout().size()),
        predictor_gradient_(ctx, predictor_.layout().size()),
        encoder_adamw_(ctx, encoder_.layout(), adamw_options()),
        predictor_adamw_(ctx, predictor_.layout(), adamw_options()),
        encoder_positions_(ctx, widened(Encoder::positions(size_, config.model.uniform_power))),
        predictor_positions_(ctx,
                             widened(PredictorModel::positions(grid_, Encoder::is_video, config.model.uniform_power))),
        scalars_(ctx, 4),
        feed_(ctx) {
    const InitOptions init{.spread = config.model.init_std / std::sqrt(weight_variance),
                           .rescale_blocks = config.model.rescale_blocks};
    encoder_.init(ctx, config.meta.seed, 0, init);
    target_.upload(ctx, encoder_.download(ctx));
    predictor_.init(ctx, config.meta.seed, 1, init);
    const auto total_steps = static_cast<double>(ipe_ * config_.optimization.epochs) * config_.optimization.ipe_scale;
    const auto& o = config_.optimization;
    lr_ = {.start = o.start_lr,
           .peak = o.lr,
           .final = o.final_lr,
           .warmup = static_cast<std::int64_t>(o.warmup * static_cast<double>(ipe_)),
           .total = static_cast<std::int64_t>(total_steps)};
    decay_ = {.start = o.weight_decay, .final = o.final_weight_decay, .total = static_cast<std::int64_t>(total_steps)};
    momentum_ = {.start = o.ema[0], .final = o.ema[1], .total = total_steps};
  }

  /// Trains on `clips`, [num_clips * batch, channels, frames, crop, crop] normalised pixels on the host, clip 0 of all
  /// samples before clip 1. Throws Error, the weights untouched, when the loss is not finite.
  StepReport step(std::span<const float> clips) {
    return step(clips, sample_masks(config_, grid_, clips_in(clips.size()) / config_.data.num_clips, step_));
  }

  /// The same with masks of the caller's, one for each group, each for all samples.
  StepReport step(std::span<const float> clips, const std::vector<Masks>& masks) {
    if (staged() > 0) fail("vjepa::Pretrainer: clips are staged; train on them first, with step_staged");
    stage(clips);
    return step_staged(masks, [] {});
  }

  /// Copies the clips of the step after those that are staged already, of which there may be one; a device that can do
  /// both copies beside its work. The host memory may be reused on return.
  void stage(std::span<const float> clips) {
    clips_in(clips.size());
    feed_.push(clips);
  }
  /// The same for clips that were cut out, which the device resizes, mirrors and normalises.
  void stage(std::span<const CutClip> clips) {
    static_assert(Encoder::dims.channels == 3, "vjepa::Pretrainer: clips that are cut out of videos have 3 channels");
    for (const CutClip& clip : clips) {
      if (clip.frames.count != size_.frames) {
        fail("vjepa::Pretrainer: a clip of ", clip.frames.count, " frames where ", size_.frames, " are expected");
      }
    }
    clips_in(clips.size() * static_cast<std::size_t>(3 * size_.frames * size_.height * size_.width));
    feed_.push(clips, size_.height);
  }
  /// Steps whose clips are on the device.
  int staged() const { return feed_.size(); }

  /// The step on the clips that were staged first. `meanwhile()` is called when the device has its work on them, before
  /// that is waited for: the time to stage the next.
  template <class Meanwhile>
  StepReport step_staged(Meanwhile&& meanwhile) {
    const Vec<const Scalar<D>> pixels = feed_.front();
    return train(pixels, sample_masks(config_, grid_, samples_in(pixels), step_), meanwhile);
  }
  template <class Meanwhile>
  StepReport step_staged(const std::vector<Masks>& masks, Meanwhile&& meanwhile) {
    return train(feed_.front(), masks, meanwhile);
  }

  /// How the targets of the clips that were staged first spread, as the loss takes them: of tokens evenly chosen among
  /// those of the first few clips. Throws Error when none are.
  FeatureSpread target_spread() {
    constexpr Index most_clips = 8;
    constexpr Index most_rows = 512;
    const Vec<const Scalar<D>> pixels = feed_.front();
    const Index all = clips_in(static_cast<std::size_t>(pixels.size()));
    const Index count = std::min(all, most_clips * config_.data.num_clips);
    const Batch batch(*this, pixels.slice(0, pixels.size() / all * count), {});
    const Array<D, Scalar<D>> features(*ctx_, count * grid_.size() * Encoder::dim);
    const Out<D, Encoder::dim> h(features.data(), count * grid_.size());
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      Encoder::template infer<E>(
          ctx, arena, target_.params(),
          {batch.clips, batch.all_tokens, View<const T, Dyn, Encoder::dim>(encoder_positions_.data(), grid_.size())},
          h);
    });
    D::normalize(*ctx_, h, JepaPass<D, Encoder, PredictorModel>::target_eps, h);
    const std::vector<Scalar<D>> host = features.download(*ctx_);
    const Index every = std::max<Index>(1, h.rows() / most_rows);
    std::vector<float> rows;
    for (Index i = 0; i < h.rows(); i += every) {
      rows.insert(rows.end(), host.begin() + i * Encoder::dim, host.begin() + (i + 1) * Encoder::dim);
    }
    return feature_spread(rows, Encoder::dim, config_.loss.loss_exp);
  }

  /// Steps trained so far.
  std::int64_t steps() const { return step_; }
  void set_steps(std::int64_t steps) {
    step_ = steps;
    encoder_adamw_.set_steps(steps);
    predictor_adamw_.set_steps(steps);
  }

  Index iterations_per_epoch() const { return ipe_; }
  TokenGrid grid() const { return grid_; }
  Context<D>& context() const { return *ctx_; }
  /// Memory of activations: what the largest step so far needed.
  std::size_t workspace_bytes() const { return workspace_.bytes(); }

  Weights<D, Encoder>& encoder() { return encoder_; }
  Weights<D, Encoder>& target_encoder() { return target_; }
  Weights<D, PredictorModel>& predictor() { return predictor_; }
  AdamW<D>& encoder_adamw() { return encoder_adamw_; }
  AdamW<D>& predictor_adamw() { return predictor_adamw_; }
  std::vector<T> encoder_positions() { return encoder_positions_.download(*ctx_); }
  std::vector<T> predictor_positions() { return predictor_positions_.download(*ctx_); }

 private:
  /// What a step reads, on the device. The indices of all masks lie in one array of the trainer, so that steps of one
  /// shape find them at one place.
  struct Batch {
    Batch(Pretrainer& trainer, Vec<const Scalar<D>> pixels, const std::vector<Masks>& masks)
        : clips(trainer.clips_of(pixels)) {
      const Index count = clips.extent(0);
      std::vector<std::int32_t> idx = every_token(count, trainer.grid_.size());
      for (const Masks& m : masks) {
        for (const std::vector<std::int32_t>* list : {&m.context, &m.target}) {
          // Every clip of a sample has the sample's masks.
          for (Index i = 0; i < trainer.config_.data.num_clips; ++i) idx.insert(idx.end(), list->begin(), list->end());
        }
      }
      const std::int32_t* next = trainer.upload_indices(idx, count);
      const auto take = [&](Index tokens) {
        return TokenIndices(std::exchange(next, next + count * tokens), count, tokens);
      };
      all_tokens = take(trainer.grid_.size());
      for (const Masks& m : masks) {
        const TokenIndices context = take(m.kept);
        groups.push_back({context, take(m.hidden)});
      }
    }

    Clips<const Scalar<D>> clips;
    TokenIndices all_tokens;
    std::vector<MaskGroup> groups;
  };

  typename AdamW<D>::Options adamw_options() const {
    return {config_.optimization.betas[0], config_.optimization.betas[1], config_.optimization.eps};
  }
  static std::vector<T> widened(const std::vector<float>& v) { return {v.begin(), v.end()}; }

  /// Where they then are on the device, until the next call. There is room at once for the most that `clips` clips have
  /// in masks that do not overlap.
  const std::int32_t* upload_indices(const std::vector<std::int32_t>& idx, Index clips) {
    const Index most = clips * grid_.size() * static_cast<Index>(1 + config_.mask.size());
    const Index wanted = std::max(most, static_cast<Index>(idx.size()));
    if (indices_.size() < wanted) indices_ = Array<D, std::int32_t>(*ctx_, wanted);
    D::upload(*ctx_, idx.data(), indices_.data(), sizeof(std::int32_t) * idx.size());
    return indices_.data();
  }
  Vec<T> scalar(Index i) { return scalars_.view().slice(i, 1); }

  /// `pixels` are the feed's first.
  template <class Meanwhile>
  StepReport train(Vec<const Scalar<D>> pixels, const std::vector<Masks>& masks, Meanwhile&& meanwhile) {
    StepReport report;
    for (const Masks& m : masks) {
      if (m.batch != samples_in(pixels)) {
        feed_.pop();
        fail("vjepa::Pretrainer: masks for ", m.batch, " samples, clips of ", samples_in(pixels));
      }
      report.kept.push_back(m.kept);
    }
    run_pass(Batch(*this, pixels, masks));
    feed_.pop();
    D::norm(*ctx_, encoder_gradient_.view(), scalar(2));
    D::norm(*ctx_, predictor_gradient_.view(), scalar(3));
    meanwhile();
    read_scalars(report);

    const Index epoch = step_ / ipe_;
    const bool past_warmup = static_cast<double>(epoch) > config_.optimization.warmup;
    const auto clipping = [&](Index norm) {
      return past_warmup && config_.optimization.clip_grad
                 ? Clipping<T>{Vec<const T>(scalar(norm)), *config_.optimization.clip_grad}
                 : Clipping<T>{};
    };
    report.lr = lr_(step_);
    report.weight_decay = decay_(step_);
    report.momentum = momentum_(step_);
    encoder_adamw_.step(*ctx_, encoder_gradient_.view(), encoder_.arena(), report.lr, report.weight_decay, clipping(2),
                        {target_.arena(), report.momentum});
    predictor_adamw_.step(*ctx_, predictor_gradient_.view(), predictor_.arena(), report.lr, report.weight_decay,
                          clipping(3));
    ++step_;
    return report;
  }

  Index samples_in(Vec<const Scalar<D>> pixels) const {
    return clips_in(static_cast<std::size_t>(pixels.size())) / config_.data.num_clips;
  }

  /// Of so many pixels.
  Index clips_in(std::size_t pixels) const {
    const Index of_clip = Encoder::dims.channels * size_.frames * size_.height * size_.width;
    const auto count = static_cast<Index>(pixels);
    if (count == 0 || count % (of_clip * config_.data.num_clips) != 0) {
      fail("vjepa::Pretrainer: ", count, " pixels are no whole number of samples of ", config_.data.num_clips,
           " clips of ", of_clip);
    }
    return count / of_clip;
  }

  Clips<const Scalar<D>> clips_of(Vec<const Scalar<D>> pixels) const {
    return Clips<const Scalar<D>>(pixels.data(), clips_in(static_cast<std::size_t>(pixels.size())),
                                  Encoder::dims.channels, size_.frames, size_.height, size_.width);
  }

  void run_pass(const Batch& batch) {
    encoder_gradient_.clear(*ctx_);
    predictor_gradient_.clear(*ctx_);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) { run_pass_on<E>(ctx, arena, batch); });
  }

  template <class E>
  void run_pass_on(Context<E>& ctx, Arena<E>& arena, const Batch& batch) {
    const Mat<const T> encoder_positions(encoder_positions_.data(), grid_.size(), Encoder::dim);
    const Mat<const T> predictor_positions(predictor_positions_.data(), grid_.size(), PredictorModel::dims.dim);
    JepaPass<E, Encoder, PredictorModel>::run(ctx, arena,
                                              {encoder_.params(), target_.params(), predictor_.params(),
                                               encoder_positions, predictor_positions, config_.model.recomputed_blocks},
                                              {batch.clips, batch.all_tokens, batch.groups},
                                              {config_.loss.loss_exp, config_.loss.reg_coeff}, {scalar(0), scalar(1)},
                                              {encoder_.bind(encoder_gradient_), predictor_.bind(predictor_gradient_)});
  }

  void read_scalars(StepReport& report) {
    const std::vector<T> values = scalars_.download(*ctx_);
    report.jepa = static_cast<double>(values[0]);
    report.reg = static_cast<double>(values[1]);
    // Of one hidden token no deviation is known, which matters to a loss that asks for it alone.
    const double coefficient = config_.loss.reg_coeff;
    report.loss = coefficient != 0 ? report.jepa + coefficient * report.reg : report.jepa;
    report.encoder_norm = static_cast<double>(values[2]);
    report.predictor_norm = static_cast<double>(values[3]);
    if (!std::isfinite(report.loss) || !std::isfinite(report.encoder_norm) || !std::isfinite(report.predictor_norm)) {
      fail("the loss is ", report.loss, " and its gradients have norms ", report.encoder_norm, " and ",
           report.predictor_norm, " at step ", step_,
           "; the weights keep the values before it. Try a lower optimization.lr, a longer warmup or clip_grad");
    }
  }

  Context<D>* ctx_;
  PretrainConfig config_;
  Index ipe_;
  ClipSize size_;
  TokenGrid grid_;
  Weights<D, Encoder> encoder_;
  Weights<D, Encoder> target_;
  Weights<D, PredictorModel> predictor_;
  Array<D, T> encoder_gradient_;
  Array<D, T> predictor_gradient_;
  AdamW<D> encoder_adamw_;
  AdamW<D> predictor_adamw_;
  Array<D, T> encoder_positions_;
  Array<D, T> predictor_positions_;
  Array<D, std::int32_t> indices_;
  Array<D, T> scalars_;  // the two loss terms, the two gradient norms
  ClipFeed<D> feed_;
  Workspace<D> workspace_;
  WarmupCosine lr_;
  CosineWeightDecay decay_;
  LinearMomentum momentum_;
  std::int64_t step_ = 0;
};

}  // namespace vjepa
