#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/infer/any_probe_head.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_pooler.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// The attentive pooler of a trained probe at work: the tokens of a clip become the one feature that its classifier
/// would see.
template <Device D, class Encoder>
class ProbePooling final : public AnyProbeHead<D> {
 public:
  using Pooler = AttentivePooler<PoolerDims{.dim = Encoder::dim, .heads = Encoder::dims.heads}>;

  /// Throws Error when the checkpoint holds no probe for features of this encoder's width.
  ProbePooling(Context<D>& ctx, const Checkpoint& checkpoint)
      : AnyProbeHead<D>(ctx, Encoder::dim), weights_(ctx, Pooler{.depth = depth_in(checkpoint)}) {
    const std::string prefix = checkpoint.has_network("classifier.") ? "classifier.pooler." : "pooler.";
    weights_.upload(ctx, read_params<Grad<D>>(checkpoint, prefix, weights_.layout()));
  }

 private:
  static Index depth_in(const Checkpoint& checkpoint) {
    const auto probe = recognise_probe(checkpoint);
    if (!probe) fail(checkpoint.path().string(), ": holds no attentive probe");
    if (probe->dim != Encoder::dim) {
      fail(checkpoint.path().string(), ": its probe is made for features of width ", probe->dim,
           ", those of the encoder have ", Encoder::dim);
    }
    return probe->blocks + 1;
  }

  void infer(Context<D>& ctx, Seq<const Scalar<D>> tokens, Mat<Scalar<D>> out) override {
    const Sequences s{.batch = tokens.extent(0), .tokens = tokens.extent(1)};
    workspace_.run(ctx, [&]<class E>(Context<E>& on, Arena<E>& arena) {
      Pooler::template infer<E>(on, arena, weights_.params(), s, In<E, Encoder::dim>(tokens.data(), s.rows()),
                                Out<E, Encoder::dim>(out.data(), s.batch));
    });
  }

  FrozenWeights<D, Pooler> weights_;
  Workspace<D> workspace_;
};

/// The probe's pooler for the encoder of this name, patch and tubelet. Throws Error as ModelList::with and ProbePooling
/// do.
template <Device D, class Models = NamedModels>
std::unique_ptr<AnyProbeHead<D>> make_probe_pooling(Context<D>& ctx, const Checkpoint& checkpoint,
                                                    std::string_view model, Index patch, Index tubelet) {
  std::unique_ptr<AnyProbeHead<D>> made;
  Models::with(model, patch, tubelet,
               [&]<class Encoder>() { made = std::make_unique<ProbePooling<D, Encoder>>(ctx, checkpoint); });
  return made;
}

}  // namespace vjepa
