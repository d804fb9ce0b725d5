#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/prediction_loss.hpp"

namespace vjepa {

/// One mask group of a batch: which tokens the context encoder sees, and which the predictor guesses. On the
/// device.
struct MaskGroup {
  TokenIndices context;  // [batch, kept]
  TokenIndices target;   // [batch, hidden]
};

/// The loss and its gradients for one batch, from clips to parameter gradients (V-JEPA, arXiv 2404.08471,
/// section 3; the order of work is the official trainer's):
///
///   h   = normalize(target_encoder(clips)), without gradient
///   z_i = predictor_i(encoder(clips, context_i), context_i, target_i) for each mask group i
///   L   = PredictionLoss of z_i against h at target_i
///
/// Unless the regulariser couples the groups, each goes forward and backward before the next begins, and within it the
/// predictor on some samples before the others: of as few as have `PredictorRows` tokens together, which is enough for
/// a device's products to be quick. So the activations of one group's encoder and of one such part are held. All
/// working memory comes from the arena: run it on `Estimate<D>` to learn how much.
template <Device D, class Encoder, class PredictorModel, Index PredictorRows = 8192>
struct JepaPass {
  static constexpr Index dim = Encoder::dim;
  using Positions = Mat<const Grad<D>>;
  // torch.nn.functional.layer_norm's default, with which the official trainer normalises the targets.
  static constexpr double target_eps = 1e-5;

  struct Models {
    ParamsOf<Encoder, const Scalar<D>> encoder;
    ParamsOf<Encoder, const Scalar<D>> target_encoder;
    ParamsOf<PredictorModel, const Scalar<D>> predictor;
    Positions encoder_positions;
    Positions predictor_positions;
    Index recomputed_blocks = 0;  // of the encoder: the first so many compute their activations again
  };

  struct Gradients {
    ParamsOf<Encoder, Grad<D>> encoder;
    ParamsOf<PredictorModel, Grad<D>> predictor;
  };

  struct Batch {
    Clips<const Scalar<D>> clips;
    TokenIndices all_tokens;  // [batch, tokens]: 0, 1, 2, ... in every row
    std::span<const MaskGroup> groups;
  };

  struct Loss {
    double exponent = 1;
    double reg_coeff = 0;
  };

  /// Overwrites the loss terms, accumulates into the gradients.
  static void run(Context<D>& ctx, Arena<D>& arena, const Models& models, const Batch& batch, const Loss& options,
                  typename PredictionLoss<D>::Terms terms, const Gradients& gradients) {
    const typename Arena<D>::Scope scope(arena);
    const Index clips = batch.clips.extent(0);
    const auto h = arena.template take<Scalar<D>, Dyn, dim>(batch.all_tokens.size());
    Encoder::template infer<D>(ctx, arena, models.target_encoder,
                               {batch.clips, batch.all_tokens, models.encoder_positions}, h);
    D::normalize(ctx, h, target_eps, h);
    const Seq<const Scalar<D>> features(h.data(), clips, batch.all_tokens.cols(), dim);

    const auto deviations = arena.template take<Grad<D>, Dyn, dim>(clips);
    const auto ddeviations = arena.template take<Grad<D>, Dyn, dim>(clips);
    PredictionLoss<D> loss(ctx, options.exponent, options.reg_coeff, static_cast<Index>(batch.groups.size()),
                           deviations, terms);
    if (loss.coupled()) {
      std::vector<ContextPass> contexts;
      std::vector<GuessPass> guesses;
      for (const MaskGroup& masks : batch.groups) {
        contexts.emplace_back(arena, models, batch, masks).forward(ctx, arena);
        guesses.emplace_back(arena, models, masks, static_cast<Index>(guesses.size()), contexts.back().features(),
                             Samples{0, clips});
        guesses.back().forward(ctx, arena, features, loss);
      }
      loss.finish(ctx, ddeviations);
      for (std::size_t i = 0; i < batch.groups.size(); ++i) {
        const typename Arena<D>::Scope group_scope(arena);
        const auto dcontext = arena.template take<Scalar<D>, Dyn, dim>(batch.groups[i].context.size());
        guesses[i].add_coupled(ctx, loss, ddeviations);
        guesses[i].backward(ctx, arena, dcontext, gradients);
        contexts[i].backward(ctx, arena, dcontext, gradients);
      }
    } else {
      for (std::size_t i = 0; i < batch.groups.size(); ++i) {
        const MaskGroup& masks = batch.groups[i];
        const typename Arena<D>::Scope group_scope(arena);
        ContextPass context(arena, models, batch, masks);
        context.forward(ctx, arena);
        const auto dcontext = arena.template take<Scalar<D>, Dyn, dim>(masks.context.size());
        const Index step = samples_at_once(clips, masks.context.cols() + masks.target.cols());
        for (Index first = 0; first < clips; first += step) {
          const typename Arena<D>::Scope part_scope(arena);
          GuessPass guess(arena, models, masks, static_cast<Index>(i), context.features(),
                          {first, std::min(step, clips - first)});
          guess.forward(ctx, arena, features, loss);
          guess.backward(ctx, arena, dcontext, gradients);
        }
        context.backward(ctx, arena, dcontext, gradients);
      }
      loss.finish(ctx, ddeviations);
    }
  }

 private:
  struct Samples {
    Index first;
    Index count;
  };

  static Index samples_at_once(Index samples, Index tokens) {
    const Index parts = std::clamp<Index>(samples * tokens / PredictorRows, 1, std::max<Index>(1, samples));
    return (samples + parts - 1) / parts;
  }

  /// The context encoder on one mask group.
  class ContextPass {
   public:
    ContextPass(Arena<D>& arena, const Models& models, const Batch& batch, const MaskGroup& masks)
        : models_(&models),
          input_{batch.clips, masks.context, models.encoder_positions},
          features_(arena.template take<Scalar<D>, Dyn, dim>(masks.context.size())) {
      saved_.recomputed_blocks = models.recomputed_blocks;
    }

    /// [batch * kept, dim]
    In<D, dim> features() const { return features_; }

    void forward(Context<D>& ctx, Arena<D>& arena) {
      Encoder::template forward<D>(ctx, arena, models_->encoder, input_, features_, saved_);
    }
    /// `dfeatures` is the gradient of features().
    void backward(Context<D>& ctx, Arena<D>& arena, In<D, dim> dfeatures, const Gradients& gradients) const {
      Encoder::template backward<D>(ctx, arena, models_->encoder, input_, saved_, dfeatures, gradients.encoder);
    }

   private:
    const Models* models_;
    typename Encoder::template Input<D> input_;
    Out<D, dim> features_;
    typename Encoder::template Saved<D> saved_;
  };

  /// The predictor on some samples of a mask group.
  class GuessPass {
   public:
    /// `context` is of all samples of the group.
    GuessPass(Arena<D>& arena, const Models& models, const MaskGroup& masks, Index group, In<D, dim> context,
              Samples samples)
        : models_(&models),
          samples_(samples),
          input_{rows_of(context, masks), masks.context.slice(samples.first, samples.count),
                 masks.target.slice(samples.first, samples.count), models.predictor_positions, group},
          z_(arena.template take<Scalar<D>, Dyn, dim>(input_.targets().rows())),
          dz_(arena.template take<Scalar<D>, Dyn, dim>(input_.targets().rows())) {}

    /// Adds to the loss; `features` are those of all tokens of all samples.
    void forward(Context<D>& ctx, Arena<D>& arena, Seq<const Scalar<D>> features, PredictionLoss<D>& loss) {
      PredictorModel::template forward<D>(ctx, arena, models_->predictor, input_, z_, saved_);
      const typename Arena<D>::Scope scope(arena);
      const auto target = arena.template take<Scalar<D>, Dyn, dim>(z_.rows());
      D::gather_tokens(ctx, features.slice(samples_.first, samples_.count), input_.target_idx, sequence(target));
      loss.add(ctx, samples_.first, sequence(z_), sequence(target), sequence(dz_));
    }

    void add_coupled(Context<D>& ctx, PredictionLoss<D>& loss, Mat<const Grad<D>> ddeviations) const {
      loss.add_coupled(ctx, sequence(z_), ddeviations, sequence(dz_));
    }

    /// Overwrites the rows of its samples in dcontext, which is of all samples of the group.
    void backward(Context<D>& ctx, Arena<D>& arena, Out<D, dim> dcontext, const Gradients& gradients) const {
      const Index kept = input_.context_idx.cols();
      PredictorModel::template backward<D>(ctx, arena, models_->predictor, input_, saved_, dz_,
                                           dcontext.slice(samples_.first * kept, samples_.count * kept),
                                           gradients.predictor);
    }

   private:
    Seq<Scalar<D>> sequence(Out<D, dim> rows) const {
      return Seq<Scalar<D>>(rows.data(), samples_.count, input_.target_idx.cols(), dim);
    }
    In<D, dim> rows_of(In<D, dim> context, const MaskGroup& masks) const {
      const Index kept = masks.context.cols();
      return context.slice(samples_.first * kept, samples_.count * kept);
    }

    const Models* models_;
    Samples samples_;
    typename PredictorModel::template Input<D> input_;
    Out<D, dim> z_;
    Out<D, dim> dz_;
    typename PredictorModel::template Saved<D> saved_;
  };
};

}  // namespace vjepa
