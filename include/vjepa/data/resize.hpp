#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

namespace detail {

/// Bilinear weights of one axis in fixed point of 11 bits: out = (low_weight in[low] + high_weight in[high]) / 2048. Of
/// the `out` that there are, those of `count` from `first` on.
struct FixedTaps {
  struct Tap {
    Index low;
    Index high;
    std::int32_t low_weight;
    std::int32_t high_weight;
  };
  std::vector<Tap> taps;

  FixedTaps(Index in, Index out, Index first, Index count) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    for (Index i = first; i < first + count; ++i) {
      const auto at = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
      auto low = static_cast<Index>(std::floor(at));
      float part = at - static_cast<float>(low);
      if (low < 0 || low >= in - 1) {
        low = std::clamp<Index>(low, 0, in - 1);
        part = 0;
      }
      taps.push_back({low, std::min(low + 1, in - 1), static_cast<std::int32_t>(std::lrint((1 - part) * 2048)),
                      static_cast<std::int32_t>(std::lrint(part * 2048))});
    }
  }
};

}  // namespace detail

/// A part of the frames in another size, height x width, by bilinear interpolation between the nearest pixels, bit for
/// bit as OpenCV's INTER_LINEAR gives 8-bit pictures: what the official evaluation feeds its encoder.
inline Frames resized(const Frames& frames, Index height, Index width, const Box& part) {
  const detail::FixedTaps rows(frames.height, height, part.top, part.height);
  const detail::FixedTaps columns(frames.width, width, part.left, part.width);
  Frames out(frames.count, part.height, part.width);
  std::vector<std::int32_t> across(static_cast<std::size_t>(frames.height * part.width * 3));
  for (Index i = 0; i < frames.count; ++i) {
    const std::uint8_t* in = frames.frame(i);
    auto* to = across.data();
    for (Index y = 0; y < frames.height; ++y, in += frames.width * 3) {
      for (const auto& tap : columns.taps) {
        for (Index c = 0; c < 3; ++c) {
          *to++ = in[tap.low * 3 + c] * tap.low_weight + in[tap.high * 3 + c] * tap.high_weight;
        }
      }
    }
    std::uint8_t* pixel = out.frame(i);
    for (const auto& tap : rows.taps) {
      const std::int32_t* const low = across.data() + tap.low * part.width * 3;
      const std::int32_t* const high = across.data() + tap.high * part.width * 3;
      for (Index x = 0; x < part.width * 3; ++x) {
        const std::int32_t sum = (tap.low_weight * (low[x] >> 4) >> 16) + (tap.high_weight * (high[x] >> 4) >> 16);
        *pixel++ = static_cast<std::uint8_t>(std::clamp((sum + 2) >> 2, 0, 255));
      }
    }
  }
  return out;
}

}  // namespace vjepa
