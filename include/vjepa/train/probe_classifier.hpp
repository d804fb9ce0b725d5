#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_classifier.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/train/fixed_views.hpp"
#include "vjepa/train/frozen_encoder.hpp"
#include "vjepa/train/joined_tokens.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_views.hpp"

namespace vjepa {

/// A trained probe and its encoder, from a video or image to the probabilities of its classes, by the views of the
/// evaluation that it was trained in.
template <Device D, class Encoder>
class ProbeClassifier {
 public:
  static constexpr Index dim = Encoder::dim;
  using Model = AttentiveClassifier<PoolerDims{.dim = Encoder::dim, .heads = Encoder::dims.heads}>;

  /// Throws Error when the probe or the encoder does not fit `config`, or the encoder is not the one that the probe was
  /// trained on.
  ProbeClassifier(Context<D>& ctx, const Checkpoint& probe, const Checkpoint& encoder, const ProbeConfig& config)
      : ctx_(&ctx),
        classes_(config.data.num_classes),
        encoder_(ctx, encoder, frozen_encoder_options(config)),
        views_(encoder_, fixed_view_reader(config, validation_views(config), DecodingDevice(config.data.decode_on)),
               {.folder = {}}),
        joined_(joined_tokens(config, encoder_.grid(), validation_views(config))),
        weights_(ctx, Model{.depth = config.probe.depth, .classes = classes_}) {
    const auto wanted = probe.metadata("encoder_sha256");
    if (wanted && *wanted != encoder_.digest()) {
      fail(encoder.path().string(), ": is not the encoder that ", probe.path().string(), " was trained on");
    }
    const std::string prefix = probe.has_network("classifier.") ? "classifier." : "";
    weights_.upload(ctx, read_params<Grad<D>>(probe, prefix, weights_.layout()));
  }

  ProbeClassifier(const ProbeClassifier&) = delete;

  /// The probability of each class. Throws Error that names a file that cannot be used.
  std::vector<double> operator()(const std::filesystem::path& path) {
    auto sample = views_.read(path);
    views_.complete(sample);
    const Sequences s = joined_.sequences();
    const Array<D, Scalar<D>> tokens(*ctx_, sample.features.tokens);
    const Array<D, Scalar<D>> x(*ctx_, s.rows() * dim);
    joined_.template operator()<D>(*ctx_, Seq<const Scalar<D>>(tokens.data(), views_.clips(), encoder_.tokens(), dim),
                                   sample.features.numbers, Seq<Scalar<D>>(x.data(), s.batch, s.tokens, dim));
    const Array<D, Scalar<D>> logits(*ctx_, s.batch * classes_);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& on, Arena<E>& arena) {
      Model::template infer<E>(on, arena, weights_.params(), s, In<E, dim>(x.data(), s.rows()),
                               Mat<Scalar<E>>(logits.data(), s.batch, classes_));
    });
    const auto host = logits.download(*ctx_);
    return mean_softmax({host.begin(), host.end()}, classes_);
  }

 private:
  Context<D>* ctx_;
  Index classes_;
  FrozenEncoder<D, Encoder> encoder_;
  FixedViews<D, Encoder> views_;
  JoinedTokens joined_;
  Weights<D, Model> weights_;
  Workspace<D> workspace_;
};

}  // namespace vjepa
