#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/device.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/attentive_pooler.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/frozen_encoder.hpp"
#include "vjepa/train/joined_tokens.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_tokens.hpp"
#include "vjepa/train/probe_trainer.hpp"
#include "vjepa/train/probe_views.hpp"

namespace vjepa {

/// A probe in training on device D and its encoder.
template <Device D, class Encoder>
class ProbeInTraining final : public AnyProbeInTraining {
 public:
  ProbeInTraining(FrozenEncoder<D> encoder, const ProbeConfig& config, Index iterations_per_epoch)
      : encoder_(std::move(encoder)),
        training_(joined_tokens(config, encoder_.grid(), training_views(config))),
        validation_(joined_tokens(config, encoder_.grid(), validation_views(config))),
        tokens_(encoder_.context(), encoder_.dim()),
        trainer_(encoder_.context(), config, iterations_per_epoch) {}

  std::string device() const override { return D::describe(encoder_.context()); }
  AnyFrozenEncoder& encoder() override { return encoder_; }
  std::vector<float> logits(const ViewFeatures& features) override {
    tokens_.begin(validation_, 1);
    tokens_.put(0, features);
    return trainer_.logits(tokens_.all());
  }

  void begin(Index samples) override { tokens_.begin(training_, samples); }
  std::vector<float> put(Index b, std::span<const float> clips, std::span<const Index> numbers) override {
    const Seq<const Scalar<D>> tokens = encoder_(clips);
    tokens_.put(b, tokens, numbers);
    return encoder_.mean(tokens);
  }
  void put(Index b, const ViewFeatures& features) override { tokens_.put(b, features); }
  ProbeStep step(std::span<const float> means, std::span<const std::int32_t> labels) override {
    return trainer_.step(tokens_.all(), means, labels);
  }
  std::vector<float> linear_logits(std::span<const float> means) override { return trainer_.linear_logits(means); }

  void save(StateDict& state) override { trainer_.save(state); }
  void load(const Checkpoint& file, std::int64_t steps) override { trainer_.load(file, steps); }

 private:
  FrozenEncoder<D> encoder_;
  JoinedTokens training_;
  JoinedTokens validation_;
  ProbeTokens<D> tokens_;
  ProbeTrainer<D, PoolerDims{.dim = Encoder::dim, .heads = Encoder::dims.heads}> trainer_;
};

/// The untrained probe of an evaluation with its encoder, one of `Models`. Throws Error when the checkpoint does not
/// hold the encoder.
template <Device D, class Models = NamedModels>
std::unique_ptr<AnyProbeInTraining> make_probe(Context<D>& ctx, const Checkpoint& encoder, const ProbeConfig& config,
                                               Index iterations_per_epoch) {
  const ProbeConfig::Pretrain& p = config.pretrain;
  auto frozen = make_frozen_encoder<D, Models>(ctx, encoder, config);
  std::unique_ptr<AnyProbeInTraining> made;
  Models::with(p.model_name, p.patch_size, p.tubelet_size, [&]<class Encoder>() {
    made = std::make_unique<ProbeInTraining<D, Encoder>>(std::move(frozen), config, iterations_per_epoch);
  });
  return made;
}

}  // namespace vjepa
