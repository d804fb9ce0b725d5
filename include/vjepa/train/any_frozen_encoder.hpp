#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/dtype.hpp"

namespace vjepa {

/// What the encoder makes of one video or image.
struct ViewFeatures {
  std::vector<std::byte> tokens;  // [clips, tokens, dim] in the encoder's scalar, where they are wanted
  std::vector<float> mean;        // over all tokens of all clips, [dim]
  std::vector<Index> numbers;     // of the frames, [segments, frames]
};

/// The encoder that a probe is trained on, of any device and model, as code on the host sees it.
class AnyFrozenEncoder {
 public:
  virtual ~AnyFrozenEncoder() = default;
  AnyFrozenEncoder(const AnyFrozenEncoder&) = delete;
  AnyFrozenEncoder& operator=(const AnyFrozenEncoder&) = delete;

  /// Of a clip's tokens.
  virtual TokenGrid grid() const = 0;
  /// Tokens of a clip.
  Index tokens() const { return grid().size(); }
  /// Features of a token.
  virtual Index dim() const = 0;
  /// Of a feature.
  virtual DType dtype() const = 0;
  /// SHA-256 of weights and positions.
  virtual const std::string& digest() const = 0;

  /// Encodes clips [clips, channels, frames, height, width] of normalised pixels into the mean of their tokens, and
  /// into the tokens where they are wanted.
  virtual void encode(std::span<const float> clips, bool wants_tokens, ViewFeatures& features) = 0;

 protected:
  AnyFrozenEncoder() = default;
  AnyFrozenEncoder(AnyFrozenEncoder&&) = default;
};

}  // namespace vjepa
