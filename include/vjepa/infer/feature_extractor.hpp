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
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/infer/encoder_positions.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
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

/// A frozen encoder with the weights of a checkpoint, from clips to features.
template <Device D, class Encoder>
class FeatureExtractor {
 public:
  static constexpr Index dim = Encoder::dim;

  /// Throws Error when the checkpoint does not hold this encoder, with a line for each tensor that does not fit.
  FeatureExtractor(Context<D>& ctx, const Checkpoint& checkpoint, FeatureOptions options)
      : ctx_(&ctx), options_(std::move(options)), grid_(Encoder::grid(options_.clip)), weights_(ctx, Encoder{}) {
    if (options_.layers.empty()) options_.layers = {Encoder::dims.depth - 1};
    for (std::size_t i = 0; i < options_.layers.size(); ++i) {
      const Index layer = options_.layers[i];
      if (layer < 0 || layer >= Encoder::dims.depth || (i > 0 && layer <= options_.layers[i - 1])) {
        fail("layers: block ", layer, " of a model with blocks 0 to ", Encoder::dims.depth - 1,
             "; name each wanted block once, in increasing order");
      }
    }
    load(checkpoint, checkpoint.encoder_prefix(options_.network));
    const RecognisedEncoder found = recognise_encoder(checkpoint, options_.network).value_or(RecognisedEncoder{});
    const std::vector<float> table =
        encoder_positions<Encoder>(checkpoint, found, options_.made_for.value_or(options_.clip), options_.clip,
                                   options_.uniform_power.value_or(found.uniform_power));
    positions_ = Array<D, Grad<D>>(ctx, std::vector<Grad<D>>(table.begin(), table.end()));
  }

  const TokenGrid& grid() const { return grid_; }
  const FeatureOptions& options() const { return options_; }
  const FrozenWeights<D, Encoder>& weights() const { return weights_; }
  /// [grid().size(), dim]
  const Array<D, Grad<D>>& positions() const { return positions_; }
  Index layers() const { return static_cast<Index>(options_.layers.size()); }
  /// Tensors that did not fit, where `partial` allowed it.
  const ParamDiff& diff() const { return diff_; }

  /// The features of clips [batch, channels, frames, height, width] of normalised pixels, for each layer a view
  /// [batch, tokens, dim] on the device, valid until the next call.
  std::vector<Seq<const Scalar<D>>> operator()(std::span<const float> clips) {
    const Index batch = clips_in(clips);
    if (static_cast<Index>(idx_.size()) != batch * grid_.size()) {
      idx_ = {};  // its size tells that all three have it, also after one of them had no memory
      clips_ = Array<D, Scalar<D>>(*ctx_, static_cast<Index>(clips.size()));
      features_ = Array<D, Scalar<D>>(*ctx_, layers() * batch * grid_.size() * dim);
      idx_ = Array<D, std::int32_t>(*ctx_, every_token(batch, grid_.size()));
    }
    convert_in_pieces<Scalar<D>>(clips, [&](std::span<const Scalar<D>> piece, std::size_t begin) {
      D::upload(*ctx_, piece.data(), clips_.data() + begin, piece.size_bytes());
    });
    workspace_.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) { infer<E>(ctx, arena, batch); });
    std::vector<Seq<const Scalar<D>>> result;
    for (const auto& out : outs(batch)) result.emplace_back(out.data(), batch, grid_.size(), dim);
    return result;
  }

 private:
  void load(const Checkpoint& checkpoint, const std::string& prefix) {
    const ParamLayout& layout = weights_.layout();
    if (!options_.partial) {
      weights_.upload(*ctx_, read_params<Grad<D>>(checkpoint, prefix, layout));
      return;
    }
    diff_ = compare_params(checkpoint, prefix, layout);
    if (diff_.missing.size() + diff_.other_shape.size() == layout.params().size()) {
      fail(checkpoint.path().string(), ": holds no tensor of this model, not even a part of it");
    }
    std::vector<Grad<D>> values = initial_values<Grad<D>>(layout, 0, 0);
    read_matching_params(checkpoint, prefix, layout, values);
    weights_.upload(*ctx_, values);
  }

  Index clips_in(std::span<const float> clips) const {
    const ClipSize& c = options_.clip;
    const Index pixels = Encoder::dims.channels * c.frames * c.height * c.width;
    const auto size = static_cast<Index>(clips.size());
    if (size == 0 || size % pixels != 0) {
      fail("vjepa::FeatureExtractor: ", size, " pixels are no whole number of clips of ", pixels);
    }
    return size / pixels;
  }

  std::vector<Out<D, dim>> outs(Index batch) const {
    const Index rows = batch * grid_.size();
    std::vector<Out<D, dim>> views;
    for (Index i = 0; i < layers(); ++i) views.emplace_back(features_.data() + i * rows * dim, rows);
    return views;
  }

  template <class E>
  void infer(Context<E>& ctx, Arena<E>& arena, Index batch) const {
    const ClipSize& c = options_.clip;
    const std::vector<Out<D, dim>> results = outs(batch);
    Encoder::template infer<E>(
        ctx, arena, weights_.params(),
        {Clips<const Scalar<D>>(clips_.data(), batch, Encoder::dims.channels, c.frames, c.height, c.width),
         TokenIndices(idx_.data(), batch, grid_.size()),
         View<const Grad<D>, Dyn, dim>(positions_.data(), grid_.size())},
        std::span<const Index>(options_.layers), std::span<const Out<E, dim>>(results));
  }

  Context<D>* ctx_;
  FeatureOptions options_;
  TokenGrid grid_;
  FrozenWeights<D, Encoder> weights_;
  ParamDiff diff_;
  Array<D, Grad<D>> positions_;
  Array<D, std::int32_t> idx_;
  Array<D, Scalar<D>> clips_;
  Array<D, Scalar<D>> features_;
  Workspace<D> workspace_;
};

}  // namespace vjepa
