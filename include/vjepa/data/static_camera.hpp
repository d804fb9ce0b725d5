#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/frames.hpp"

/// For a camera that stands still: what does not move is background, and most of it is not worth a token.
namespace vjepa {

namespace detail {

/// The bounds of the part of `amounts` that leaves 2 % of their sum on either side.
struct CentralPart {
  Index first = 0;
  Index last = 0;

  explicit CentralPart(const std::vector<std::int64_t>& amounts) {
    std::int64_t total = 0;
    for (const std::int64_t a : amounts) total += a;
    const auto reaches = [&](std::int64_t percent) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < amounts.size(); ++i) {
        sum += amounts[i];
        if (100 * sum >= percent * total) return static_cast<Index>(i);
      }
      return static_cast<Index>(amounts.size()) - 1;
    };
    first = reaches(2);
    last = reaches(98);
  }
};

}  // namespace detail

/// A square around what moves: along each axis it holds 96 % of the differences between successive frames, with a
/// margin of 15 % of its side on every side, as far as the frame allows. The largest square in the middle when nothing
/// moves.
inline Box moving_box(const Frames& frames) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(frames.height), 0);
  const Index row = frames.width * 3;
  std::vector<std::int32_t> values(static_cast<std::size_t>(row), 0);  // of a row, summed over rows and frames
  bool moves = false;
  for (Index t = 1; t < frames.count; ++t) {
    const std::uint8_t* before = frames.frame(t - 1);
    const std::uint8_t* now = frames.frame(t);
    for (Index y = 0; y < frames.height; ++y, before += row, now += row) {
      std::int32_t sum = 0;
      for (Index i = 0; i < row; ++i) {
        const std::int32_t change = std::abs(now[i] - before[i]);
        values[static_cast<std::size_t>(i)] += change;
        sum += change;
      }
      rows[static_cast<std::size_t>(y)] += sum;
      moves = moves || sum > 0;
    }
  }
  const Index most = std::min(frames.height, frames.width);
  if (!moves) return {(frames.height - most) / 2, (frames.width - most) / 2, most, most};
  std::vector<std::int64_t> columns(static_cast<std::size_t>(frames.width), 0);
  for (Index i = 0; i < row; ++i) columns[static_cast<std::size_t>(i / 3)] += values[static_cast<std::size_t>(i)];
  const detail::CentralPart down(rows);
  const detail::CentralPart across(columns);
  const Index extent = std::max(down.last - down.first, across.last - across.first) + 1;
  const Index side = std::clamp<Index>(std::lround(1.3 * static_cast<double>(extent)), 1, most);
  const auto start = [&](const detail::CentralPart& part, Index length) {
    return std::clamp<Index>((part.first + part.last + 1 - side) / 2, 0, length - side);
  };
  return {start(down, frames.height), start(across, frames.width), side, side};
}

/// The pixels of a box, of all frames.
inline Frames cut_out(const Frames& frames, const Box& box) {
  Frames part(frames.count, box.height, box.width);
  for (Index t = 0; t < frames.count; ++t) copy_box(frames, t, box, part.frame(t));
  return part;
}

/// Takes the mean over the clip from every pixel and divides what is left by its standard deviation over all of `clip`,
/// [3, frames, pixels], which is overwritten. A clip without motion becomes zero.
inline void remove_background(float* clip, Index frames, Index pixels) {
  std::vector<double> mean(static_cast<std::size_t>(pixels));
  std::vector<double> squares(static_cast<std::size_t>(pixels));
  for (Index c = 0; c < 3; ++c) {
    float* const channel = clip + c * frames * pixels;
    std::fill(mean.begin(), mean.end(), 0.0);
    for (Index t = 0; t < frames; ++t) {
      const float* pixel = channel + t * pixels;
      for (double& m : mean) m += *pixel++;
    }
    for (double& m : mean) m /= static_cast<double>(frames);
    for (Index t = 0; t < frames; ++t) {
      float* const frame = channel + t * pixels;
      for (std::size_t i = 0; i < mean.size(); ++i) {
        frame[i] = static_cast<float>(frame[i] - mean[i]);
        squares[i] += static_cast<double>(frame[i]) * frame[i];
      }
    }
  }
  // Half a grey value: noise of a clip without motion is not blown up to motion.
  constexpr double least = 0.01;
  const Index count = 3 * frames * pixels;
  const double total = std::accumulate(squares.begin(), squares.end(), 0.0);
  const auto scale = static_cast<float>(1 / (std::sqrt(total / static_cast<double>(count)) + least));
  for (Index i = 0; i < count; ++i) clip[i] *= scale;
}

}  // namespace vjepa
