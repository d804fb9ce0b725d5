#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/device.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/data/sha256.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/infer/pooling.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/any_frozen_encoder.hpp"
#include "vjepa/train/probe_config.hpp"

namespace vjepa {

/// The encoder that a probe is trained on: the features of its last block, and a name for what it is.
template <Device D>
class FrozenEncoder final : public AnyFrozenEncoder {
 public:
  explicit FrozenEncoder(std::unique_ptr<AnyFeatureExtractor<D>> extract) : extract_(std::move(extract)) {
    const std::vector<Scalar<D>> weights = extract_->weights();
    const std::vector<Grad<D>> positions = extract_->positions();
    Sha256 sha;
    sha.add(std::as_bytes(std::span(weights)));
    sha.add(std::as_bytes(std::span(positions)));
    digest_ = hex(sha.finish());
  }

  TokenGrid grid() const override { return extract_->grid(); }
  Index dim() const override { return extract_->dim(); }
  DType dtype() const override { return dtype_of<Scalar<D>>(); }
  const std::string& digest() const override { return digest_; }
  Context<D>& context() const { return extract_->context(); }

  /// The tokens [batch, tokens, dim] of clips [batch, channels, frames, height, width] of normalised pixels on the
  /// host; on the device, valid until the next call.
  Seq<const Scalar<D>> operator()(std::span<const float> clips) { return (*extract_)(clips).front(); }

  /// The mean over all tokens of all clips.
  std::vector<float> mean(Seq<const Scalar<D>> tokens) const {
    const Index count = tokens.extent(0) * tokens.extent(1);
    return mean_tokens<D>(context(), Seq<const Scalar<D>>(tokens.data(), 1, count, tokens.extent(2)));
  }

  void encode(std::span<const float> clips, bool wants_tokens, ViewFeatures& features) override {
    const Seq<const Scalar<D>> tokens = (*this)(clips);
    features.mean = mean(tokens);
    if (!wants_tokens) return;
    features.tokens.resize(sizeof(Scalar<D>) * static_cast<std::size_t>(tokens.size()));
    D::download(context(), tokens.data(), features.tokens.data(), features.tokens.size());
  }

 private:
  std::unique_ptr<AnyFeatureExtractor<D>> extract_;
  std::string digest_;
};

/// The encoder of an evaluation, one of `Models`. Throws Error when the checkpoint does not hold it.
template <Device D, class Models = NamedModels>
FrozenEncoder<D> make_frozen_encoder(Context<D>& ctx, const Checkpoint& checkpoint, const ProbeConfig& config) {
  const Index side = config.data.resolution;
  const ProbeConfig::Pretrain& p = config.pretrain;
  const FeatureOptions options{.clip = {.frames = config.data.frames_per_clip, .height = side, .width = side},
                               .network = p.checkpoint_key,
                               .made_for = ClipSize{.frames = p.frames_per_clip, .height = side, .width = side},
                               .uniform_power = p.uniform_power};
  return FrozenEncoder<D>(
      make_feature_extractor<D, Models>(ctx, checkpoint, options, p.model_name, p.patch_size, p.tubelet_size));
}

}  // namespace vjepa
