#pragma once

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

}  // namespace vjepa
