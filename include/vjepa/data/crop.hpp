#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

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

/// Mean and standard deviation of the channels of natural images (ImageNet), of pixels from 0 to 255.
inline constexpr std::array<float, 3> pixel_mean = {0.485f * 255, 0.456f * 255, 0.406f * 255};
inline constexpr std::array<float, 3> pixel_std = {0.229f * 255, 0.224f * 255, 0.225f * 255};

namespace detail {

/// Where the samples of a resized axis lie: out = (1 - weight) in[low] + weight in[high].
struct BilinearTaps {
  std::vector<Index> low;
  std::vector<Index> high;
  std::vector<float> weight;

  /// Centres of pixels are mapped to each other and held inside (align_corners = false).
  BilinearTaps(Index in, Index out) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    for (Index i = 0; i < out; ++i) {
      const float at = std::max(0.0f, (static_cast<float>(i) + 0.5f) * scale - 0.5f);
      low.push_back(std::min(static_cast<Index>(at), in - 1));
      high.push_back(std::min(low.back() + 1, in - 1));
      weight.push_back(at - static_cast<float>(low.back()));
    }
  }
};

}  // namespace detail

/// Cuts `box` out of frame [height, width, 3], resizes it to size x size by bilinear interpolation, mirrors it where
/// `flip` says so, normalises it, and writes channel c to out + c * channel_stride, [size, size].
inline void crop_resized(const std::uint8_t* frame, Index frame_width, const Box& box, Index size, bool flip,
                         float* out, Index channel_stride) {
  const detail::BilinearTaps rows(box.height, size);
  const detail::BilinearTaps columns(box.width, size);
  const auto at = [](const std::vector<Index>& v, Index i) { return v[static_cast<std::size_t>(i)]; };
  for (Index y = 0; y < size; ++y) {
    const std::uint8_t* upper = frame + ((box.top + at(rows.low, y)) * frame_width + box.left) * 3;
    const std::uint8_t* lower = frame + ((box.top + at(rows.high, y)) * frame_width + box.left) * 3;
    const float down = rows.weight[static_cast<std::size_t>(y)];
    for (Index x = 0; x < size; ++x) {
      const Index left = at(columns.low, x) * 3;
      const Index right = at(columns.high, x) * 3;
      const float across = columns.weight[static_cast<std::size_t>(x)];
      float* to = out + y * size + (flip ? size - 1 - x : x);
      for (Index c = 0; c < 3; ++c) {
        const float top = (1 - across) * upper[left + c] + across * upper[right + c];
        const float bottom = (1 - across) * lower[left + c] + across * lower[right + c];
        const float value = (1 - down) * top + down * bottom;
        to[c * channel_stride] =
            (value - pixel_mean[static_cast<std::size_t>(c)]) / pixel_std[static_cast<std::size_t>(c)];
      }
    }
  }
}

}  // namespace vjepa
