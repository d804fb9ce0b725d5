#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/nn/positions.hpp"

namespace vjepa {

/// What the shapes in a checkpoint say of a network that it holds. What shapes cannot say is 0, empty or nothing.
struct RecognisedEncoder {
  std::string prefix;            // before the names of its tensors, its dot included
  VitDims dims;                  // heads only where the model has a name
  std::string_view model;        // its name among NamedModels
  Index positions = 0;           // tokens of the clips that it was made for
  std::optional<ClipSize> clip;  // the clips that it was made for, as its fixed positions show
  bool uniform_power = true;     // of those positions
};

struct RecognisedPredictor {
  Index encoder_dim = 0;
  Index dim = 0;
  Index depth = 0;
  Index mask_tokens = 0;
};

struct RecognisedProbe {
  Index dim = 0;
  Index blocks = 0;  // of self-attention, after the cross-attention
  Index classes = 0;
};

namespace detail {

/// How many of prefix0..., prefix1..., and so on there are.
inline Index count_numbered(const Checkpoint& checkpoint, const std::string& prefix, const std::string& suffix) {
  Index count = 0;
  while (checkpoint.find(prefix + std::to_string(count) + suffix) != nullptr) ++count;
  return count;
}

/// The shape of a tensor, if it is there and has one of these ranks.
inline std::optional<std::vector<Index>> shape_of(const Checkpoint& checkpoint, const std::string& name,
                                                  std::size_t rank) {
  const StoredTensor* tensor = checkpoint.find(name);
  return tensor != nullptr && tensor->shape.size() == rank ? std::optional(tensor->shape) : std::nullopt;
}

/// The square clip whose fixed positions a table holds: the last token of the table is that of the last frame's last
/// corner, whose features no other clip of so many tokens has there.
inline void recognise_clip(const StoredTensor& table, RecognisedEncoder& found) {
  // Positions rounded to bfloat16 are off by 2^-9 at most, neighbours differ by more than 0.1.
  constexpr double tolerance = 0.01;
  const auto dim = static_cast<std::size_t>(found.dims.dim);
  StoredTensor last = table;
  last.bytes = table.bytes.last(dim * size_of(table.dtype));
  const std::vector<double> stored = last.as<double>();
  for (Index side = 1; side * side <= found.positions; ++side) {
    if (found.positions % (side * side) != 0) continue;
    const Index depth = found.positions / (side * side);
    for (const bool uniform : {true, false}) {
      const auto expected = sincos_position_3d(found.dims.dim, depth - 1, side - 1, side - 1, uniform);
      const auto close = [](double a, double b) { return std::abs(a - b) < tolerance; };
      if (!std::equal(stored.begin(), stored.end(), expected.begin(), close)) continue;
      found.clip = ClipSize{
          .frames = depth * found.dims.tubelet, .height = side * found.dims.patch, .width = side * found.dims.patch};
      found.uniform_power = uniform;
      return;
    }
  }
}

}  // namespace detail

/// The encoder that Checkpoint::find_encoder finds; nothing where there is none, or it is no vision transformer.
inline std::optional<RecognisedEncoder> recognise_encoder(const Checkpoint& checkpoint,
                                                          const std::string& wanted = "target_encoder") {
  const std::optional<std::string> prefix = checkpoint.find_encoder(wanted);
  if (!prefix) return std::nullopt;
  RecognisedEncoder found;
  found.prefix = *prefix;
  const StoredTensor* patches = checkpoint.find(found.prefix + "patch_embed.proj.weight");
  const auto hidden = detail::shape_of(checkpoint, found.prefix + "blocks.0.mlp.fc1.weight", 2);
  if (patches == nullptr || !hidden) return std::nullopt;
  const std::vector<Index>& shape = patches->shape;  // [dim, channels, (frames,) height, width]
  if ((shape.size() != 4 && shape.size() != 5) || shape[shape.size() - 2] != shape.back()) return std::nullopt;
  found.dims = {.dim = shape[0],
                .depth = detail::count_numbered(checkpoint, found.prefix + "blocks.", ".attn.qkv.weight"),
                .heads = 0,
                .hidden = (*hidden)[0],
                .patch = shape.back(),
                .tubelet = shape.size() == 5 ? shape[2] : 0,
                .channels = shape[1]};
  NamedModels::each([&]<class Model>() {
    VitDims named = Model::Encoder::dims;
    named.heads = 0;
    if (named != found.dims) return;
    found.dims.heads = Model::Encoder::dims.heads;
    found.model = Model::name;
  });
  const StoredTensor* table = checkpoint.find(found.prefix + "pos_embed");
  if (table != nullptr && table->shape.size() == 3 && table->shape[0] == 1 && table->shape[1] > 0 &&
      table->shape[2] == found.dims.dim) {
    found.positions = table->shape[1];
    if (found.dims.tubelet > 0) detail::recognise_clip(*table, found);
  }
  return found;
}

inline std::optional<RecognisedPredictor> recognise_predictor(const Checkpoint& checkpoint) {
  const std::string prefix = checkpoint.has_network("predictor.") ? "predictor." : "";
  const auto embed = detail::shape_of(checkpoint, prefix + "predictor_embed.weight", 2);
  if (!embed) return std::nullopt;
  return RecognisedPredictor{
      .encoder_dim = (*embed)[1],
      .dim = (*embed)[0],
      .depth = detail::count_numbered(checkpoint, prefix + "predictor_blocks.", ".attn.qkv.weight"),
      .mask_tokens = detail::count_numbered(checkpoint, prefix + "mask_tokens.", "")};
}

inline std::optional<RecognisedProbe> recognise_probe(const Checkpoint& checkpoint) {
  const std::string prefix = checkpoint.has_network("classifier.") ? "classifier." : "";
  const auto linear = detail::shape_of(checkpoint, prefix + "linear.weight", 2);
  if (!linear || checkpoint.find(prefix + "pooler.query_tokens") == nullptr) return std::nullopt;
  return RecognisedProbe{.dim = (*linear)[1],
                         .blocks = detail::count_numbered(checkpoint, prefix + "pooler.blocks.", ".attn.qkv.weight"),
                         .classes = (*linear)[0]};
}

/// "vit_large, patch 16, tubelet 2"
inline std::string describe(const RecognisedEncoder& encoder) {
  const std::string tubelet = encoder.dims.tubelet > 0 ? text("tubelet ", encoder.dims.tubelet) : "images";
  return text(encoder.model.empty() ? "a vision transformer without a name here" : encoder.model, ", patch ",
              encoder.dims.patch, ", ", tubelet);
}

}  // namespace vjepa
