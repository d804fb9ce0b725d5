#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "vjepa/core/pixels.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

/// A rectangle of pixels.
struct Box {
  Index top = 0;
  Index left = 0;
  Index height = 0;
  Index width = 0;

  bool operator==(const Box&) const = default;
};

/// A box of a random part `scale` of the area and a random aspect ratio (width to height, evenly in its logarithm), or
/// after ten tries that do not fit the largest centred box whose ratio is allowed ("Inception crop", Szegedy et al.,
/// CVPR 2015, section 6).
inline Box random_box(Index height, Index width, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                      Random& random) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = static_cast<double>(height * width) * random.uniform(scale[0], scale[1]);
    const double aspect = std::exp(random.uniform(std::log(ratio[0]), std::log(ratio[1])));
    const auto w = static_cast<Index>(std::lround(std::sqrt(area * aspect)));
    const auto h = static_cast<Index>(std::lround(std::sqrt(area / aspect)));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const Index top = random.below(height - h + 1);
    return {top, random.below(width - w + 1), h, w};
  }
  const double whole = static_cast<double>(width) / static_cast<double>(height);
  Index w = width;
  Index h = height;
  if (whole < ratio[0]) {
    h = std::clamp<Index>(std::lround(static_cast<double>(w) / ratio[0]), 1, height);
  } else if (whole > ratio[1]) {
    w = std::clamp<Index>(std::lround(static_cast<double>(h) * ratio[1]), 1, width);
  }
  return {(height - h) / 2, (width - w) / 2, h, w};
}

namespace detail {

/// Those of all samples of a resized axis.
inline std::vector<BilinearTap> bilinear_taps(Index in, Index out) {
  std::vector<BilinearTap> taps;
  for (Index i = 0; i < out; ++i) taps.push_back(bilinear_tap(in, out, i));
  return taps;
}

/// Resizes a row of RGB along x, mirrored where `flip` says so, into its channels: `out` is [3, size].
inline void resize_row(const std::uint8_t* row, const std::vector<BilinearTap>& taps, bool flip, float* out) {
  const auto size = static_cast<Index>(taps.size());
  for (Index x = 0; x < size; ++x) {
    const BilinearTap& tap = taps[static_cast<std::size_t>(x)];
    const std::uint8_t* const left = row + 3 * tap.low;
    const std::uint8_t* const right = row + 3 * tap.high;
    const float across = tap.weight;
    float* const to = out + (flip ? size - 1 - x : x);
    for (Index c = 0; c < 3; ++c) to[c * size] = (1 - across) * left[c] + across * right[c];
  }
}

}  // namespace detail

/// Copies a box of frame `t`, [box.height, box.width, 3].
inline void copy_box(const Frames& frames, Index t, const Box& box, std::uint8_t* out) {
  for (Index y = 0; y < box.height; ++y) {
    const std::uint8_t* const row = frames.frame(t) + ((box.top + y) * frames.width + box.left) * 3;
    std::copy_n(row, box.width * 3, out + y * box.width * 3);
  }
}

/// Cuts `box` out of frame [height, width, 3], resizes it to size x size by bilinear interpolation, mirrors it where
/// `flip` says so, normalises it, and writes channel c to out + c * channel_stride, [size, size].
inline void crop_resized(const std::uint8_t* frame, Index frame_width, const Box& box, Index size, bool flip,
                         float* out, Index channel_stride) {
  const std::vector<BilinearTap> rows = detail::bilinear_taps(box.height, size);
  const std::vector<BilinearTap> columns = detail::bilinear_taps(box.width, size);
  // Rows of the frame, resized along x, channel by channel: the last two are kept, for rows of the crop share them.
  std::vector<float> lines(static_cast<std::size_t>(2 * 3 * size));
  std::array<Index, 2> held = {-1, -1};
  const auto line = [&](Index row) {
    const auto place = static_cast<std::size_t>(row % 2);
    float* const to = lines.data() + static_cast<Index>(place) * 3 * size;
    if (std::exchange(held[place], row) != row) {
      detail::resize_row(frame + ((box.top + row) * frame_width + box.left) * 3, columns, flip, to);
    }
    return to;
  };
  for (Index y = 0; y < size; ++y) {
    const BilinearTap& tap = rows[static_cast<std::size_t>(y)];
    const float* const top = line(tap.low);
    const float* const bottom = line(tap.high);
    const float down = tap.weight;
    for (Index c = 0; c < 3; ++c) {
      const float mean = natural_pixels.mean[c];
      const float deviation = natural_pixels.deviation[c];
      float* const to = out + c * channel_stride + y * size;
      for (Index x = c * size; x < (c + 1) * size; ++x) {
        to[x - c * size] = ((1 - down) * top[x] + down * bottom[x] - mean) / deviation;
      }
    }
  }
}

}  // namespace vjepa
