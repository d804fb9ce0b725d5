#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

namespace detail {

/// Appends sin(x w_i), then cos(x w_i), with w_i = 10000^(-i / (count / 2)) for i in [0, count / 2).
inline void append_sincos(double x, Index count, std::vector<double>& out) {
  const Index half = count / 2;
  for (const bool cosine : {false, true}) {
    for (Index i = 0; i < half; ++i) {
      const double angle = x / std::pow(10000.0, static_cast<double>(i) / (static_cast<double>(count) / 2));
      out.push_back(cosine ? std::cos(angle) : std::sin(angle));
    }
  }
}

}  // namespace detail

/// The fixed position of one token of a clip, `dim` features: of the time d, then of the row h, then of the column w
/// (Vaswani et al., arXiv 1706.03762, section 3.5, for three axes). Time gets half of the features and rows and columns
/// a quarter each; with `uniform_power` each gets a third, rounded up to an even number, and the end is cut off.
inline std::vector<double> sincos_position_3d(Index dim, Index d, Index h, Index w, bool uniform_power) {
  const Index third = (dim + 5) / 6 * 2;
  const Index time = uniform_power ? third : dim / 2;
  const Index space = uniform_power ? third : dim / 4;
  std::vector<double> token;
  detail::append_sincos(static_cast<double>(d), time, token);
  detail::append_sincos(static_cast<double>(h), space, token);
  detail::append_sincos(static_cast<double>(w), space, token);
  token.resize(static_cast<std::size_t>(dim));
  return token;
}

/// The fixed positions of a clip, [grid.size(), dim]. Throws Error where the features cannot be dealt out.
inline std::vector<float> sincos_positions_3d(Index dim, const TokenGrid& grid, bool uniform_power) {
  if (!uniform_power && dim % 8 != 0) {
    fail("positions of ", dim, " features cannot be halved and quartered; choose a multiple of 8, or uniform_power");
  }
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.size() * dim));
  for (Index d = 0; d < grid.depth; ++d) {
    for (Index h = 0; h < grid.height; ++h) {
      for (Index w = 0; w < grid.width; ++w) {
        const std::vector<double> token = sincos_position_3d(dim, d, h, w, uniform_power);
        table.insert(table.end(), token.begin(), token.end());
      }
    }
  }
  return table;
}

/// Fixed positions of an image, [grid.size(), dim]: half of the features of the row, half of the column. Throws Error
/// where the features cannot be dealt out.
inline std::vector<float> sincos_positions_2d(Index dim, const TokenGrid& grid) {
  if (dim % 4 != 0) fail("positions of ", dim, " features cannot be halved twice; choose a multiple of 4");
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid.size() * dim));
  std::vector<double> token;
  for (Index h = 0; h < grid.height; ++h) {
    for (Index w = 0; w < grid.width; ++w) {
      token.clear();
      detail::append_sincos(static_cast<double>(h), dim / 2, token);
      detail::append_sincos(static_cast<double>(w), dim / 2, token);
      table.insert(table.end(), token.begin(), token.end());
    }
  }
  return table;
}

namespace detail {

/// The samples of one axis that make one sample of the resized axis.
struct Taps {
  std::vector<Index> index;
  std::vector<double> weight;
};

/// Half-pixel sample positions, as torch.nn.functional.interpolate takes them with align_corners=False.
inline std::vector<Taps> linear_taps(Index from, Index to) {
  std::vector<Taps> taps;
  for (Index i = 0; i < to; ++i) {
    const double x =
        std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
    const Index low = std::min(static_cast<Index>(x), from - 1);
    const double fraction = x - static_cast<double>(low);
    taps.push_back({{low, std::min(low + 1, from - 1)}, {1 - fraction, fraction}});
  }
  return taps;
}

/// Keys' cubic convolution with a = -0.75 and clamped borders, as torch's "bicubic" (Keys, IEEE ASSP 1981).
inline std::vector<Taps> cubic_taps(Index from, Index to) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };       // |x| <= 1
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };  // 1 < |x| < 2
  std::vector<Taps> taps;
  for (Index i = 0; i < to; ++i) {
    const double x = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const auto low = static_cast<Index>(std::floor(x));
    const double t = x - static_cast<double>(low);
    Taps four{{}, {far(t + 1), near(t), near(1 - t), far(2 - t)}};
    for (Index k = -1; k <= 2; ++k) four.index.push_back(std::clamp<Index>(low + k, 0, from - 1));
    taps.push_back(std::move(four));
  }
  return taps;
}

/// Resizes the middle axis of table [outer, taps.front()'s axis of `from`, inner].
inline std::vector<double> resize_axis(const std::vector<double>& table, Index outer, Index from, Index inner,
                                       const std::vector<Taps>& taps) {
  const auto to = static_cast<Index>(taps.size());
  std::vector<double> out(static_cast<std::size_t>(outer * to * inner));
  for (Index o = 0; o < outer; ++o) {
    for (Index i = 0; i < to; ++i) {
      double* const target = out.data() + (o * to + i) * inner;
      const Taps& t = taps[static_cast<std::size_t>(i)];
      for (std::size_t k = 0; k < t.index.size(); ++k) {
        const double* const source = table.data() + (o * from + t.index[k]) * inner;
        for (Index j = 0; j < inner; ++j) target[j] += t.weight[k] * source[j];
      }
    }
  }
  return out;
}

inline std::vector<float> resize_positions(const std::vector<float>& table, Index dim, const TokenGrid& from,
                                           const TokenGrid& to, std::vector<Taps> (*taps)(Index, Index)) {
  std::vector<double> wide(table.begin(), table.end());
  if (to.width != from.width) {
    wide = resize_axis(wide, from.depth * from.height, from.width, dim, taps(from.width, to.width));
  }
  if (to.height != from.height) {
    wide = resize_axis(wide, from.depth, from.height, to.width * dim, taps(from.height, to.height));
  }
  if (to.depth != from.depth) {
    wide = resize_axis(wide, 1, from.depth, to.height * to.width * dim, taps(from.depth, to.depth));
  }
  return {wide.begin(), wide.end()};
}

}  // namespace detail

/// The positions of a clip of another size than the model was made for: `table` [from.size(), dim]
/// interpolated trilinearly to [to.size(), dim].
inline std::vector<float> interpolate_positions_3d(const std::vector<float>& table, Index dim, const TokenGrid& from,
                                                   const TokenGrid& to) {
  return detail::resize_positions(table, dim, from, to, detail::linear_taps);
}

/// The same for images, bicubically.
inline std::vector<float> interpolate_positions_2d(const std::vector<float>& table, Index dim, const TokenGrid& from,
                                                   const TokenGrid& to) {
  return detail::resize_positions(table, dim, from, to, detail::cubic_taps);
}

}  // namespace vjepa
