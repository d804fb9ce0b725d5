#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/infer/any_feature_extractor.hpp"
#include "vjepa/infer/encoder_positions.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// A frozen encoder with the weights of a checkpoint, from clips to features.
template <Device D, class Encoder>
class FeatureExtractor final : public AnyFeatureExtractor<D> {
 public:
  /// Throws Error when the checkpoint does not hold this encoder, with a line for each tensor that does not fit.
  FeatureExtractor(Context<D>& ctx, const Checkpoint& checkpoint, const FeatureOptions& options)
      : AnyFeatureExtractor<D>(ctx, options, Encoder::dims, Encoder::grid(options.clip)), weights_(ctx, Encoder{}) {
    weights_.upload(ctx, this->read_weights(checkpoint, weights_.layout()));
    const RecognisedEncoder found = recognise_encoder(checkpoint, options.network).value_or(RecognisedEncoder{});
    this->set_positions(encoder_positions<Encoder>(checkpoint, found, options.made_for.value_or(options.clip),
                                                   options.clip, options.uniform_power.value_or(found.uniform_power)));
  }

  std::vector<Scalar<D>> weights() const override { return weights_.download(this->context()); }

 private:
  void infer(Clips<const Scalar<D>> clips, TokenIndices idx, const Grad<D>* positions, Scalar<D>* features) override {
    constexpr Index dim = Encoder::dim;
    const Index rows = idx.size();
    std::vector<Out<D, dim>> outs;
    for (Index i = 0; i < this->layers(); ++i) outs.emplace_back(features + i * rows * dim, rows);
    workspace_.run(this->context(), [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      Encoder::template infer<E>(ctx, arena, weights_.params(),
                                 {clips, idx, View<const Grad<D>, Dyn, dim>(positions, this->grid().size())},
                                 std::span<const Index>(this->options().layers), std::span<const Out<E, dim>>(outs));
    });
  }

  FrozenWeights<D, Encoder> weights_;
  Workspace<D> workspace_;
};

/// The extractor of the model of this name, patch and tubelet. Throws Error as ModelList::with and FeatureExtractor do.
template <Device D, class Models = NamedModels>
std::unique_ptr<AnyFeatureExtractor<D>> make_feature_extractor(Context<D>& ctx, const Checkpoint& checkpoint,
                                                               const FeatureOptions& options, std::string_view model,
                                                               Index patch, Index tubelet) {
  std::unique_ptr<AnyFeatureExtractor<D>> made;
  Models::with(model, patch, tubelet, [&]<class Encoder>() {
    made = std::make_unique<FeatureExtractor<D, Encoder>>(ctx, checkpoint, options);
  });
  return made;
}

}  // namespace vjepa
