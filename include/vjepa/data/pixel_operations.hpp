#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"

/// Changes of pictures in place, each frame by itself, as the Pillow library computes them: augmentation policies are
/// tuned on its results. A value may differ by one where a compiler fuses a product into a sum that Pillow rounds
/// twice.
namespace vjepa {

namespace detail {

using Histogram = std::array<Index, 256>;
using Table = std::array<std::uint8_t, 256>;

inline std::uint8_t clamped(double value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
}

/// Replaces every value v of every channel by table[v], where `table_of` makes a table from the channel's histogram.
template <class TableOf>
void map_channels(Frames& frames, const TableOf& table_of) {
  for (Index i = 0; i < frames.count; ++i) {
    for (Index channel = 0; channel < 3; ++channel) {
      std::uint8_t* const begin = frames.frame(i) + channel;
      Histogram histogram{};
      for (Index at = 0; at < frames.frame_size(); at += 3) ++histogram[begin[at]];
      const Table table = table_of(histogram);
      for (Index at = 0; at < frames.frame_size(); at += 3) begin[at] = table[begin[at]];
    }
  }
}

/// Replaces every value v by f(v).
template <class F>
void map_values(Frames& frames, const F& f) {
  Table table;
  for (std::size_t v = 0; v < table.size(); ++v) table[v] = f(static_cast<int>(v));
  for (auto& value : frames.pixels) value = table[value];
}

/// from + factor (to - from), held between 0 and 255; a factor beyond 1 goes on past `to`.
inline std::uint8_t blend(int from, int to, double factor) {
  return clamped(static_cast<float>(from) + static_cast<float>(factor) * static_cast<float>(to - from));
}

/// Brightness of a colour (ITU-R BT.601 in 16-bit fixed point).
inline int luma(const std::uint8_t* pixel) {
  return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

/// Cubic convolution with a = -1 through four samples, at `t` in [0, 1) between the second and the third.
inline double cubic(double v0, double v1, double v2, double v3, double t) {
  return v1 + t * (v2 - v0 + t * (2 * (v0 - v1) + v2 - v3 + t * (v1 - v0 + v3 - v2)));
}

}  // namespace detail

/// Stretches every channel to the whole range.
inline void auto_contrast(Frames& frames) {
  detail::map_channels(frames, [](const detail::Histogram& histogram) {
    std::size_t low = 0;
    std::size_t high = 255;
    while (low < 255 && histogram[low] == 0) ++low;
    while (high > 0 && histogram[high] == 0) --high;
    const double scale = high > low ? 255.0 / static_cast<double>(high - low) : 1;
    const double offset = high > low ? -static_cast<double>(low) * scale : 0;
    detail::Table table;
    for (std::size_t v = 0; v < 256; ++v) table[v] = detail::clamped(static_cast<double>(v) * scale + offset);
    return table;
  });
}

/// Makes the histogram of every channel flat.
inline void equalize(Frames& frames) {
  detail::map_channels(frames, [](const detail::Histogram& histogram) {
    Index total = 0;
    Index last = 0;
    for (const Index n : histogram) {
      total += n;
      if (n > 0) last = n;
    }
    const Index step = (total - last) / 255;
    detail::Table table;
    Index below = step / 2;
    for (std::size_t v = 0; v < 256; ++v) {
      table[v] = static_cast<std::uint8_t>(step > 0 ? std::min<Index>(below / step, 255) : static_cast<Index>(v));
      below += histogram[v];
    }
    return table;
  });
}

inline void invert(Frames& frames) {
  detail::map_values(frames, [](int v) { return static_cast<std::uint8_t>(255 - v); });
}

/// Keeps the highest `bits` bits of every value.
inline void posterize(Frames& frames, int bits) {
  detail::map_values(frames, [mask = ~(0xff >> bits)](int v) { return static_cast<std::uint8_t>(v & mask); });
}

/// Inverts the values from `threshold` on.
inline void solarize(Frames& frames, int threshold) {
  detail::map_values(frames, [=](int v) { return static_cast<std::uint8_t>(v < threshold ? v : 255 - v); });
}

/// Adds `amount` to the values below 128.
inline void solarize_add(Frames& frames, int amount) {
  detail::map_values(frames, [=](int v) { return static_cast<std::uint8_t>(v < 128 ? std::min(255, v + amount) : v); });
}

/// 0 is grey, 1 the picture as it is.
inline void adjust_color(Frames& frames, double factor) {
  for (std::size_t at = 0; at < frames.pixels.size(); at += 3) {
    const int grey = detail::luma(&frames.pixels[at]);
    for (std::size_t c = at; c < at + 3; ++c) frames.pixels[c] = detail::blend(grey, frames.pixels[c], factor);
  }
}

/// 0 is the mean brightness, 1 the picture as it is.
inline void adjust_contrast(Frames& frames, double factor) {
  for (Index i = 0; i < frames.count; ++i) {
    std::uint8_t* const frame = frames.frame(i);
    double sum = 0;
    for (Index at = 0; at < frames.frame_size(); at += 3) sum += detail::luma(frame + at);
    const int mean = static_cast<int>(std::lround(sum / static_cast<double>(frames.height * frames.width)));
    for (Index at = 0; at < frames.frame_size(); ++at) frame[at] = detail::blend(mean, frame[at], factor);
  }
}

/// 0 is black, 1 the picture as it is.
inline void adjust_brightness(Frames& frames, double factor) {
  detail::map_values(frames, [=](int v) { return detail::blend(0, v, factor); });
}

/// 0 is smoothed by a 3 x 3 kernel, 1 the picture as it is; the outermost pixels stay.
inline void adjust_sharpness(Frames& frames, double factor) {
  const Frames before = frames;
  const Index row = frames.width * 3;
  for (Index i = 0; i < frames.count; ++i) {
    for (Index y = 1; y + 1 < frames.height; ++y) {
      const std::uint8_t* const from = before.frame(i) + y * row;
      std::uint8_t* const to = frames.frame(i) + y * row;
      for (Index x = 3; x < row - 3; ++x) {
        int sum = 4 * from[x];
        for (const Index up : {-row, Index{0}, row}) sum += from[x + up - 3] + from[x + up] + from[x + up + 3];
        to[x] = detail::blend((2 * sum + 13) / 26, from[x], factor);
      }
    }
  }
}

/// Where a pixel (x, y) of the result comes from: (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), pixel centres at
/// halves.
using AffineMap = std::array<double, 6>;

/// A rotation about the middle, counter-clockwise.
inline AffineMap rotation(double degrees, Index height, Index width) {
  const double radians = -degrees * std::numbers::pi / 180;
  const double c = std::cos(radians);
  const double s = std::sin(radians);
  const double x = static_cast<double>(width) / 2;
  const double y = static_cast<double>(height) / 2;
  return {c, s, x - c * x - s * y, -s, c, y + s * x - c * y};
}

/// Moves the pixels by bicubic interpolation; what comes from outside becomes grey (128).
inline void warp(Frames& frames, const AffineMap& m) {
  const Frames before = frames;
  const Index row = frames.width * 3;
  for (Index y = 0; y < frames.height; ++y) {
    for (Index x = 0; x < frames.width; ++x) {
      const double column = static_cast<double>(x) + 0.5;
      const double line = static_cast<double>(y) + 0.5;
      const double from_x = m[0] * column + m[1] * line + m[2];
      const double from_y = m[3] * column + m[4] * line + m[5];
      const Index to = y * row + x * 3;
      if (!(from_x >= 0 && from_x < static_cast<double>(frames.width) && from_y >= 0 &&
            from_y < static_cast<double>(frames.height))) {
        for (Index i = 0; i < frames.count; ++i) std::fill_n(frames.frame(i) + to, 3, std::uint8_t{128});
        continue;
      }
      const auto left = static_cast<Index>(std::floor(from_x - 0.5));
      const auto top = static_cast<Index>(std::floor(from_y - 0.5));
      const double across = from_x - 0.5 - static_cast<double>(left);
      const double down = from_y - 0.5 - static_cast<double>(top);
      std::array<Index, 4> columns;
      std::array<Index, 4> rows;
      for (Index k = 0; k < 4; ++k) {
        columns[static_cast<std::size_t>(k)] = std::clamp<Index>(left + k - 1, 0, frames.width - 1) * 3;
        rows[static_cast<std::size_t>(k)] = std::clamp<Index>(top + k - 1, 0, frames.height - 1) * row;
      }
      for (Index i = 0; i < frames.count; ++i) {
        for (Index c = 0; c < 3; ++c) {
          std::array<double, 4> v;
          for (std::size_t k = 0; k < 4; ++k) {
            const std::uint8_t* const in = before.frame(i) + rows[k] + c;
            v[k] = detail::cubic(in[columns[0]], in[columns[1]], in[columns[2]], in[columns[3]], across);
          }
          frames.frame(i)[to + c] = detail::clamped(detail::cubic(v[0], v[1], v[2], v[3], down));
        }
      }
    }
  }
}

}  // namespace vjepa
