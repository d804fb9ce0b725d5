#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/convert.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa {

/// What features are wanted of an encoder.
struct FeatureOptions {
  ClipSize clip;                           // of every clip
  std::string network = "target_encoder";  // which of a checkpoint's encoders
  bool partial = false;                    // weights that the checkpoint lacks may keep their initial values
  std::optional<ClipSize> made_for = {};   // the clips that its positions are of (encoder_positions); none: `clip`
  std::optional<bool> uniform_power = {};  // of positions that are computed; none: as those of the checkpoint, or true
  std::vector<Index> layers = {};  // blocks whose normed outputs are wanted, counted from 0, increasing; none: the last
};

/// A frozen encoder of any model, from clips to features: what is the same for all of them. A program chooses a model
/// once, by its name, and what reads, pools and writes is compiled for the device alone.
template <Device D>
class AnyFeatureExtractor {
 public:
  virtual ~AnyFeatureExtractor() = default;
  AnyFeatureExtractor(const AnyFeatureExtractor&) = delete;
  AnyFeatureExtractor& operator=(const AnyFeatureExtractor&) = delete;

  Context<D>& context() const { return *ctx_; }
  /// Of a clip's tokens.
  const TokenGrid& grid() const { return grid_; }
  /// Features of a token.
  Index dim() const { return dims_.dim; }
  Index layers() const { return static_cast<Index>(options_.layers.size()); }
  const FeatureOptions& options() const { return options_; }
  /// Tensors that did not fit, where `partial` allowed it.
  const ParamDiff& diff() const { return diff_; }
  /// What the passes read, on the host: all weights in the order of their layout, gaps included.
  virtual std::vector<Scalar<D>> weights() const = 0;
  /// [grid().size(), dim], on the host
  std::vector<Grad<D>> positions() const { return positions_.download(*ctx_); }

  /// The features of clips [batch, channels, frames, height, width] of normalised pixels, for each layer a view
  /// [batch, tokens, dim] on the device, valid until the next call.
  std::vector<Seq<const Scalar<D>>> operator()(std::span<const float> clips) {
    const Index batch = clips_in(clips);
    const Index size = batch * grid_.size() * dim();
    if (static_cast<Index>(idx_.size()) != batch * grid_.size()) {
      idx_ = {};  // its size tells that all three have it, also after one of them had no memory
      clips_ = Array<D, Scalar<D>>(*ctx_, static_cast<Index>(clips.size()));
      features_ = Array<D, Scalar<D>>(*ctx_, layers() * size);
      idx_ = Array<D, std::int32_t>(*ctx_, every_token(batch, grid_.size()));
    }
    convert_in_pieces<Scalar<D>>(clips, [&](std::span<const Scalar<D>> piece, std::size_t begin) {
      D::upload(*ctx_, piece.data(), clips_.data() + begin, piece.size_bytes());
    });
    const ClipSize& c = options_.clip;
    infer(Clips<const Scalar<D>>(clips_.data(), batch, dims_.channels, c.frames, c.height, c.width),
          TokenIndices(idx_.data(), batch, grid_.size()), positions_.data(), features_.data());
    std::vector<Seq<const Scalar<D>>> result;
    for (Index i = 0; i < layers(); ++i) result.emplace_back(features_.data() + i * size, batch, grid_.size(), dim());
    return result;
  }

 protected:
  AnyFeatureExtractor(Context<D>& ctx, FeatureOptions options, const VitDims& dims, const TokenGrid& grid)
      : ctx_(&ctx), options_(std::move(options)), dims_(dims), grid_(grid) {
    if (options_.layers.empty()) options_.layers = {dims.depth - 1};
    for (std::size_t i = 0; i < options_.layers.size(); ++i) {
      const Index layer = options_.layers[i];
      if (layer < 0 || layer >= dims.depth || (i > 0 && layer <= options_.layers[i - 1])) {
        fail("layers: block ", layer, " of a model with blocks 0 to ", dims.depth - 1,
             "; name each wanted block once, in increasing order");
      }
    }
  }

  /// All weights of a layout: the checkpoint's, and with `partial` initial values for what `diff()` then names. Throws
  /// Error when something does not fit without it, or nothing does.
  std::vector<Grad<D>> read_weights(const Checkpoint& checkpoint, const ParamLayout& layout) {
    const std::string prefix = checkpoint.encoder_prefix(options_.network);
    if (!options_.partial) return read_params<Grad<D>>(checkpoint, prefix, layout);
    diff_ = compare_params(checkpoint, prefix, layout);
    if (diff_.missing.size() + diff_.other_shape.size() == layout.params().size()) {
      fail(checkpoint.path().string(), ": holds no tensor of this model, not even a part of it");
    }
    std::vector<Grad<D>> values = initial_values<Grad<D>>(layout, 0, 0);
    read_matching_params(checkpoint, prefix, layout, values);
    return values;
  }

  /// [grid().size(), dim]
  void set_positions(const std::vector<float>& table) {
    positions_ = Array<D, Grad<D>>(*ctx_, std::vector<Grad<D>>(table.begin(), table.end()));
  }

 private:
  /// Writes features [layers, batch, tokens, dim] of clips; positions are [tokens, dim].
  virtual void infer(Clips<const Scalar<D>> clips, TokenIndices idx, const Grad<D>* positions, Scalar<D>* features) = 0;

  Index clips_in(std::span<const float> clips) const {
    const ClipSize& c = options_.clip;
    const Index pixels = dims_.channels * c.frames * c.height * c.width;
    const auto size = static_cast<Index>(clips.size());
    if (size == 0 || size % pixels != 0) {
      fail("vjepa::FeatureExtractor: ", size, " pixels are no whole number of clips of ", pixels);
    }
    return size / pixels;
  }

  Context<D>* ctx_;
  FeatureOptions options_;
  VitDims dims_;
  TokenGrid grid_;
  ParamDiff diff_;
  Array<D, Grad<D>> positions_;
  Array<D, std::int32_t> idx_;
  Array<D, Scalar<D>> clips_;
  Array<D, Scalar<D>> features_;
};

}  // namespace vjepa
