#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/sha256.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// Which encoder of a checkpoint a probe reads, and for which clips.
struct FrozenEncoderOptions {
  std::string network = "target_encoder";  // else "encoder", as in the official evaluation
  ClipSize made_for;                       // the clips whose positions it has
  ClipSize clip;                           // those it reads; positions are interpolated where their size differs
  bool uniform_power = false;              // of positions that the checkpoint does not hold
};

/// An encoder with the weights of a checkpoint, from clips to tokens, without gradient.
template <Device D, class Encoder>
class FrozenEncoder {
 public:
  static constexpr Index dim = Encoder::dim;

  /// Throws Error when the checkpoint does not hold this encoder, with a line for each tensor that does not fit.
  FrozenEncoder(Context<D>& ctx, const Checkpoint& checkpoint, const FrozenEncoderOptions& options)
      : ctx_(&ctx), clip_(options.clip), grid_(Encoder::grid(options.clip)), weights_(ctx, Encoder{}) {
    const std::string prefix = checkpoint.encoder_prefix(options.network);
    const auto values = read_params<Grad<D>>(checkpoint, prefix, weights_.layout());
    weights_.upload(ctx, values);
    const std::vector<float> table = positions(checkpoint, prefix, options);
    positions_ = Array<D, Grad<D>>(ctx, std::vector<Grad<D>>(table.begin(), table.end()));
    Sha256 sha;
    sha.add(std::as_bytes(std::span(values)));
    sha.add(std::as_bytes(std::span(table)));
    digest_ = hex(sha.finish());
  }

  const ClipSize& clip() const { return clip_; }
  /// Tokens of a clip.
  Index tokens() const { return grid_.size(); }
  TokenGrid grid() const { return grid_; }
  /// SHA-256 of weights and positions.
  const std::string& digest() const { return digest_; }
  Context<D>& context() const { return *ctx_; }

  /// The tokens [batch, tokens, dim] of clips [batch, channels, frames, height, width] of normalised pixels on the
  /// host; on the device, valid until the next call.
  Seq<const Scalar<D>> operator()(std::span<const float> clips) {
    const Index pixels = Encoder::dims.channels * clip_.frames * clip_.height * clip_.width;
    const auto size = static_cast<Index>(clips.size());
    if (size == 0 || size % pixels != 0) {
      fail("vjepa::FrozenEncoder: ", size, " pixels are no whole number of clips of ", pixels);
    }
    const Index batch = size / pixels;
    if (idx_.size() != batch * tokens()) {
      std::vector<std::int32_t> idx;
      for (Index i = 0; i < batch * tokens(); ++i) idx.push_back(static_cast<std::int32_t>(i % tokens()));
      idx_ = Array<D, std::int32_t>(*ctx_, idx);
      clips_ = Array<D, float>(*ctx_, size);
      features_ = Array<D, Scalar<D>>(*ctx_, batch * tokens() * dim);
    }
    clips_.upload(*ctx_, clips);
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
      Encoder::template infer<E>(
          ctx, arena, weights_.params(),
          {Clips<const float>(clips_.data(), batch, Encoder::dims.channels, clip_.frames, clip_.height, clip_.width),
           TokenIndices(idx_.data(), batch, tokens()), View<const Grad<D>, Dyn, dim>(positions_.data(), tokens())},
          Out<E, dim>(features_.data(), batch * tokens()));
    });
    return Seq<const Scalar<D>>(features_.data(), batch, tokens(), dim);
  }

 private:
  static std::vector<float> positions(const Checkpoint& checkpoint, const std::string& prefix,
                                      const FrozenEncoderOptions& options) {
    const StoredTensor* stored = checkpoint.find(prefix + "pos_embed");
    const std::vector<Index> fitting = {1, Encoder::grid(options.made_for).size(), dim};
    const auto table = stored != nullptr && stored->shape == fitting
                           ? stored->as<float>()
                           : Encoder::positions(options.made_for, options.uniform_power);
    return options.clip == options.made_for ? table : Encoder::resize_positions(table, options.made_for, options.clip);
  }

  Context<D>* ctx_;
  ClipSize clip_;
  TokenGrid grid_;
  Weights<D, Encoder> weights_;
  Array<D, Grad<D>> positions_;
  std::string digest_;
  Array<D, std::int32_t> idx_;
  Array<D, float> clips_;
  Array<D, Scalar<D>> features_;
  Workspace<D> workspace_;
};

}  // namespace vjepa
