#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// Frames and pixels of a clip; one frame for images.
struct ClipSize {
  Index frames = 16;
  Index height = 224;
  Index width = 224;

  bool operator==(const ClipSize&) const = default;
};

/// Number of tokens of a clip along time, height and width. Tokens are counted along width, then height, then time.
struct TokenGrid {
  Index depth = 1;
  Index height = 1;
  Index width = 1;

  constexpr Index size() const { return depth * height * width; }
  bool operator==(const TokenGrid&) const = default;
};

/// Sizes of a batch of token sequences of equal length.
struct Sequences {
  Index batch = 0;
  Index tokens = 0;

  constexpr Index rows() const { return batch * tokens; }
};

/// 0, 1, 2, ... for each clip of a batch, [batch, tokens]: every token of each is seen.
inline std::vector<std::int32_t> every_token(Index batch, Index tokens) {
  std::vector<std::int32_t> idx;
  idx.reserve(static_cast<std::size_t>(batch * tokens));
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < tokens; ++i) idx.push_back(static_cast<std::int32_t>(i));
  }
  return idx;
}

}  // namespace vjepa
