#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/infer/probe_logits.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/frozen_encoder.hpp"
#include "vjepa/train/joined_tokens.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_tokens.hpp"
#include "vjepa/train/probe_views.hpp"

namespace vjepa {

/// A trained probe and its encoder on device D.
template <Device D>
class TrainedProbe final : public AnyProbe {
 public:
  TrainedProbe(FrozenEncoder<D> encoder, std::unique_ptr<AnyProbeHead<D>> head, const ProbeConfig& config)
      : encoder_(std::move(encoder)),
        joined_(joined_tokens(config, encoder_.grid(), validation_views(config))),
        tokens_(encoder_.context(), encoder_.dim()),
        head_(std::move(head)) {}

  std::string device() const override { return D::describe(encoder_.context()); }
  AnyFrozenEncoder& encoder() override { return encoder_; }
  std::vector<float> logits(const ViewFeatures& features) override {
    tokens_.begin(joined_, 1);
    tokens_.put(0, features);
    return (*head_)(tokens_.all());
  }

 private:
  FrozenEncoder<D> encoder_;
  JoinedTokens joined_;
  ProbeTokens<D> tokens_;
  std::unique_ptr<AnyProbeHead<D>> head_;
};

/// A trained probe with its encoder, one of `Models`, as the configuration names it. Throws Error when the probe or the
/// encoder does not fit the configuration, or the encoder is not the one that the probe was trained on.
template <Device D, class Models = NamedModels>
std::unique_ptr<AnyProbe> make_trained_probe(Context<D>& ctx, const Checkpoint& probe, const Checkpoint& encoder,
                                             const ProbeConfig& config) {
  auto frozen = make_frozen_encoder<D, Models>(ctx, encoder, config);
  const auto wanted = probe.metadata("encoder_sha256");
  if (wanted && *wanted != frozen.digest()) {
    fail(encoder.path().string(), ": is not the encoder that ", probe.path().string(), " was trained on");
  }
  const ProbeConfig::Pretrain& p = config.pretrain;
  auto head = make_probe_logits<D, Models>(ctx, probe, config.probe.depth, config.data.num_classes, p.model_name,
                                           p.patch_size, p.tubelet_size);
  return std::make_unique<TrainedProbe<D>>(std::move(frozen), std::move(head), config);
}

}  // namespace vjepa
