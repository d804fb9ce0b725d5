#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// Pictures of one size in RGB, 8 bits a channel: [count, height, width, 3] without gaps.
struct Frames {
  Index count = 0;
  Index height = 0;
  Index width = 0;
  std::vector<std::uint8_t> pixels;

  Frames() = default;
  /// Black frames.
  Frames(Index frames, Index rows, Index columns)
      : count(frames), height(rows), width(columns), pixels(static_cast<std::size_t>(frames * rows * columns * 3)) {}

  /// Another size; the pixels are anything. Memory is kept for the largest there was.
  void reshape(Index frames, Index rows, Index columns) {
    count = frames;
    height = rows;
    width = columns;
    pixels.resize(static_cast<std::size_t>(frames * rows * columns * 3));
  }

  /// Bytes of one frame.
  Index frame_size() const { return height * width * 3; }
  std::uint8_t* frame(Index i) { return pixels.data() + i * frame_size(); }
  const std::uint8_t* frame(Index i) const { return pixels.data() + i * frame_size(); }
};

}  // namespace vjepa
