#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/infer/any_probe_head.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_classifier.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// The whole of a trained probe at work: the tokens of a clip become the logits of its classes.
template <Device D, class Encoder>
class ProbeLogits final : public AnyProbeHead<D> {
 public:
  using Classifier = AttentiveClassifier<PoolerDims{.dim = Encoder::dim, .heads = Encoder::dims.heads}>;

  /// A probe of so many blocks, the cross-attention among them. Throws Error when the checkpoint's tensors have
  /// other names or shapes.
  ProbeLogits(Context<D>& ctx, const Checkpoint& checkpoint, Index depth, Index classes)
      : AnyProbeHead<D>(ctx, classes), weights_(ctx, Classifier{.depth = depth, .classes = classes}) {
    const std::string prefix = checkpoint.has_network("classifier.") ? "classifier." : "";
    weights_.upload(ctx, read_params<Grad<D>>(checkpoint, prefix, weights_.layout()));
  }

 private:
  void infer(Context<D>& ctx, Seq<const Scalar<D>> tokens, Mat<Scalar<D>> out) override {
    const Sequences s{.batch = tokens.extent(0), .tokens = tokens.extent(1)};
    workspace_.run(ctx, [&]<class E>(Context<E>& on, Arena<E>& arena) {
      Classifier::template infer<E>(on, arena, weights_.params(), s, In<E, Encoder::dim>(tokens.data(), s.rows()), out);
    });
  }

  FrozenWeights<D, Classifier> weights_;
  Workspace<D> workspace_;
};

/// The probe for the encoder of this name, patch and tubelet. Throws Error as ModelList::with and ProbeLogits do.
template <Device D, class Models = NamedModels>
std::unique_ptr<AnyProbeHead<D>> make_probe_logits(Context<D>& ctx, const Checkpoint& checkpoint, Index depth,
                                                   Index classes, std::string_view model, Index patch, Index tubelet) {
  std::unique_ptr<AnyProbeHead<D>> made;
  Models::with(model, patch, tubelet, [&]<class Encoder>() {
    made = std::make_unique<ProbeLogits<D, Encoder>>(ctx, checkpoint, depth, classes);
  });
  return made;
}

}  // namespace vjepa
