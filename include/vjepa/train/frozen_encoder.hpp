#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/device.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/data/sha256.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/io/checkpoint.hpp"

namespace vjepa {

/// The encoder that a probe is trained on: the features of its last block, and a name for what it is.
template <Device D, class Encoder>
class FrozenEncoder {
 public:
  static constexpr Index dim = Encoder::dim;

  /// Throws Error when the checkpoint does not hold this encoder, with a line for each tensor that does not fit.
  FrozenEncoder(Context<D>& ctx, const Checkpoint& checkpoint, FeatureOptions options)
      : ctx_(&ctx), extract_(ctx, checkpoint, std::move(options)) {
    const std::vector<Scalar<D>> weights = extract_.weights().download(ctx);
    const std::vector<Grad<D>> positions = extract_.positions().download(ctx);
    Sha256 sha;
    sha.add(std::as_bytes(std::span(weights)));
    sha.add(std::as_bytes(std::span(positions)));
    digest_ = hex(sha.finish());
  }

  TokenGrid grid() const { return extract_.grid(); }
  /// Tokens of a clip.
  Index tokens() const { return grid().size(); }
  /// SHA-256 of weights and positions.
  const std::string& digest() const { return digest_; }
  Context<D>& context() const { return *ctx_; }

  /// The tokens [batch, tokens, dim] of clips [batch, channels, frames, height, width] of normalised pixels on the
  /// host; on the device, valid until the next call.
  Seq<const Scalar<D>> operator()(std::span<const float> clips) { return extract_(clips).front(); }

 private:
  Context<D>* ctx_;
  FeatureExtractor<D, Encoder> extract_;
  std::string digest_;
};

}  // namespace vjepa
