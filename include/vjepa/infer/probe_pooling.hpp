#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_pooler.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// The attentive pooler of a trained probe at work: the tokens of a clip become the one feature that its classifier
/// would see.
template <Device D, class Encoder>
class ProbePooling {
 public:
  static constexpr Index dim = Encoder::dim;
  using Pooler = AttentivePooler<PoolerDims{.dim = dim, .heads = Encoder::dims.heads}>;

  /// Throws Error when the checkpoint holds no probe for features of this encoder's width.
  ProbePooling(Context<D>& ctx, const Checkpoint& checkpoint)
      : ctx_(&ctx), weights_(ctx, Pooler{.depth = depth_in(checkpoint)}) {
    const std::string prefix = checkpoint.has_network("classifier.") ? "classifier.pooler." : "pooler.";
    weights_.upload(ctx, read_params<Grad<D>>(checkpoint, prefix, weights_.layout()));
  }

  /// tokens [batch, tokens, dim]; the result is on the host, [batch, dim].
  std::vector<float> operator()(Seq<const Scalar<D>> tokens) {
    const Sequences s{.batch = tokens.extent(0), .tokens = tokens.extent(1)};
    const In<D, dim> x(tokens.data(), s.rows());
    if (pooled_.size() != s.batch * dim) pooled_ = Array<D, Scalar<D>>(*ctx_, s.batch * dim);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      Pooler::template infer<E>(ctx, arena, weights_.params(), s, x, Out<E, dim>(pooled_.data(), s.batch));
    });
    const std::vector<Scalar<D>> host = pooled_.download(*ctx_);
    return {host.begin(), host.end()};
  }

 private:
  static Index depth_in(const Checkpoint& checkpoint) {
    const auto probe = recognise_probe(checkpoint);
    if (!probe) fail(checkpoint.path().string(), ": holds no attentive probe");
    if (probe->dim != dim) {
      fail(checkpoint.path().string(), ": its probe is made for features of width ", probe->dim,
           ", those of the encoder have ", dim);
    }
    return probe->blocks + 1;
  }

  Context<D>* ctx_;
  FrozenWeights<D, Pooler> weights_;
  Array<D, Scalar<D>> pooled_;
  Workspace<D> workspace_;
};

}  // namespace vjepa
