#pragma once

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
/// Unless the regulariser couples the groups, each goes forward and backward before the next begins, so that
/// the activations of only one are held. All working memory comes from the arena: run it on `Estimate<D>` to
/// learn how much.
template <Device D, class Encoder, class PredictorModel>
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
    Clips<const float> clips;
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
      std::vector<GroupPass> passes;
      passes.reserve(batch.groups.size());
      for (std::size_t i = 0; i < batch.groups.size(); ++i) {
        passes.emplace_back(arena, models, batch, i).forward(ctx, arena, features, loss);
      }
      loss.finish(ctx, ddeviations);
      for (GroupPass& pass : passes) {
        loss.add_coupled(ctx, pass.prediction(), ddeviations, pass.prediction_gradient());
        pass.backward(ctx, arena, gradients);
      }
    } else {
      for (std::size_t i = 0; i < batch.groups.size(); ++i) {
        const typename Arena<D>::Scope group_scope(arena);
        GroupPass pass(arena, models, batch, i);
        pass.forward(ctx, arena, features, loss);
        pass.backward(ctx, arena, gradients);
      }
      loss.finish(ctx, ddeviations);
    }
  }

 private:
  /// Encoder and predictor on one mask group.
  class GroupPass {
   public:
    GroupPass(Arena<D>& arena, const Models& models, const Batch& batch, std::size_t group)
        : models_(&models),
          masks_(batch.groups[group]),
          encoder_input_{batch.clips, masks_.context, models.encoder_positions},
          context_(arena.template take<Scalar<D>, Dyn, dim>(masks_.context.size())),
          predictor_input_{context_, masks_.context, masks_.target, models.predictor_positions,
                           static_cast<Index>(group)},
          z_(arena.template take<Scalar<D>, Dyn, dim>(masks_.target.size())),
          dz_(arena.template take<Scalar<D>, Dyn, dim>(masks_.target.size())) {
      encoder_saved_.recomputed_blocks = models.recomputed_blocks;
    }

    Seq<Scalar<D>> prediction() const { return sequence(z_); }
    Seq<Scalar<D>> prediction_gradient() const { return sequence(dz_); }

    void forward(Context<D>& ctx, Arena<D>& arena, Seq<const Scalar<D>> features, PredictionLoss<D>& loss) {
      Encoder::template forward<D>(ctx, arena, models_->encoder, encoder_input_, context_, encoder_saved_);
      PredictorModel::template forward<D>(ctx, arena, models_->predictor, predictor_input_, z_, predictor_saved_);
      const typename Arena<D>::Scope scope(arena);
      const auto target = arena.template take<Scalar<D>, Dyn, dim>(masks_.target.size());
      D::gather_tokens(ctx, features, masks_.target, sequence(target));
      loss.add(ctx, prediction(), sequence(target), prediction_gradient());
    }

    void backward(Context<D>& ctx, Arena<D>& arena, const Gradients& gradients) {
      const typename Arena<D>::Scope scope(arena);
      const auto dcontext = arena.template take<Scalar<D>, Dyn, dim>(masks_.context.size());
      PredictorModel::template backward<D>(ctx, arena, models_->predictor, predictor_input_, predictor_saved_, dz_,
                                           dcontext, gradients.predictor);
      Encoder::template backward<D>(ctx, arena, models_->encoder, encoder_input_, encoder_saved_, dcontext,
                                    gradients.encoder);
    }

   private:
    Seq<Scalar<D>> sequence(Out<D, dim> rows) const {
      return Seq<Scalar<D>>(rows.data(), masks_.target.rows(), masks_.target.cols(), dim);
    }

    const Models* models_;
    MaskGroup masks_;
    typename Encoder::template Input<D> encoder_input_;
    Out<D, dim> context_;
    typename PredictorModel::template Input<D> predictor_input_;
    Out<D, dim> z_;
    Out<D, dim> dz_;
    typename Encoder::template Saved<D> encoder_saved_;
    typename PredictorModel::template Saved<D> predictor_saved_;
  };
};

}  // namespace vjepa
