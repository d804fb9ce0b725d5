#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string_view>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

/// What a shape does; the values are the labels of the motion data set.
enum class Motion { left, right, up, down, grow, shrink, clockwise, counterclockwise };

inline constexpr std::array<std::string_view, 8> motion_names = {"left", "right",  "up",        "down",
                                                                 "grow", "shrink", "clockwise", "counterclockwise"};

namespace detail {

/// A square of colour that repeats without a seam: smooth noise of four scales between two colours.
class Texture {
 public:
  explicit Texture(Random& random) {
    std::array<std::array<double, 3>, 2> colors;
    for (auto& color : colors) {
      for (double& channel : color) channel = random.uniform(20, 235);
    }
    std::vector<double> noise(static_cast<std::size_t>(size * size));
    for (const Index cells : {4, 8, 16, 32}) {
      std::vector<double> lattice(static_cast<std::size_t>(cells * cells));
      for (double& value : lattice) value = random.uniform(-1, 1);
      const auto at = [&](Index y, Index x) {
        return lattice[static_cast<std::size_t>(y % cells * cells + x % cells)];
      };
      for (Index y = 0; y < size; ++y) {
        for (Index x = 0; x < size; ++x) {
          const double fy = smooth(static_cast<double>(y * cells % size) / static_cast<double>(size));
          const double fx = smooth(static_cast<double>(x * cells % size) / static_cast<double>(size));
          const Index cy = y * cells / size;
          const Index cx = x * cells / size;
          const double upper = std::lerp(at(cy, cx), at(cy, cx + 1), fx);
          const double lower = std::lerp(at(cy + 1, cx), at(cy + 1, cx + 1), fx);
          noise[static_cast<std::size_t>(y * size + x)] += std::lerp(upper, lower, fy);
        }
      }
    }
    for (const double value : noise) {
      const double part = std::clamp(0.5 + 0.4 * value, 0.0, 1.0);
      std::array<float, 3> color;
      for (std::size_t c = 0; c < 3; ++c) color[c] = static_cast<float>(std::lerp(colors[0][c], colors[1][c], part));
      texels_.push_back(color);
    }
  }

  /// The colour at (x, y), in sides of the square.
  const std::array<float, 3>& at(double x, double y) const {
    const auto place = [](double v) { return std::min(static_cast<Index>((v - std::floor(v)) * size), size - 1); };
    return texels_[static_cast<std::size_t>(place(y) * size + place(x))];
  }

 private:
  static constexpr Index size = 128;
  static double smooth(double t) { return t * t * (3 - 2 * t); }
  std::vector<std::array<float, 3>> texels_;
};

}  // namespace detail

/// A textured shape that moves in one way over a textured background. Where it is, how large and how turned is drawn
/// alike for every motion (the borders of the picture are joined, so that a shape which leaves comes back on the other
/// side), and all frames are as probable backwards: no single frame tells the motion.
class MotionScene {
 public:
  MotionScene(Motion motion, Random random) : random_(random), background_(random_), surface_(random_) {
    x_ = random_.uniform();
    y_ = random_.uniform();
    log_radius_ = std::log(random_.uniform(0.14, 0.24));
    angle_ = random_.uniform(0, 2 * std::numbers::pi);
    lobes_ = 2 + random_.below(4);
    depth_ = random_.uniform(0.1, 0.4);
    const double pace = random_.uniform(0.6, 1.2);
    switch (motion) {
      case Motion::left:
        dx_ = -0.02 * pace;
        break;
      case Motion::right:
        dx_ = 0.02 * pace;
        break;
      case Motion::up:
        dy_ = -0.02 * pace;
        break;
      case Motion::down:
        dy_ = 0.02 * pace;
        break;
      case Motion::grow:
        growth_ = 1.2 * pace;
        break;
      case Motion::shrink:
        growth_ = -1.2 * pace;
        break;
      case Motion::clockwise:
        dangle_ = 0.07 * pace;
        break;
      case Motion::counterclockwise:
        dangle_ = -0.07 * pace;
        break;
    }
  }

  /// The frames of a clip in the middle of which the shape has the place, size and angle that were drawn.
  Frames render(Index count, Index size) const {
    Frames frames(count, size, size);
    Random noise = random_;
    for (Index i = 0; i < count; ++i) {
      const double time = static_cast<double>(i) - static_cast<double>(count - 1) / 2;
      draw(time, time / static_cast<double>(count), size, noise, frames.frame(i));
    }
    return frames;
  }

 private:
  void draw(double time, double part, Index size, Random& noise, std::uint8_t* rgb) const {
    const auto side = static_cast<double>(size);
    const double x0 = x_ + time * dx_;
    const double y0 = y_ + time * dy_;
    const double radius = std::exp(log_radius_ + part * growth_);
    const double angle = angle_ + time * dangle_;
    for (Index row = 0; row < size; ++row) {
      for (Index column = 0; column < size; ++column) {
        const double x = (static_cast<double>(column) + 0.5) / side;
        const double y = (static_cast<double>(row) + 0.5) / side;
        // The shortest way from the middle of the shape, over the joined borders.
        const double across = x - x0 - std::round(x - x0);
        const double down = y - y0 - std::round(y - y0);
        const double distance = std::hypot(across, down);
        const double direction = std::atan2(down, across) - angle;
        const double edge = radius * (1 - depth_ * (0.5 - 0.5 * std::cos(static_cast<double>(lobes_) * direction)));
        const double cover = std::clamp((edge - distance) * side + 0.5, 0.0, 1.0);
        const auto& behind = background_.at(x, y);
        // The surface turns and grows with the shape.
        const double scale = 0.25 * distance / radius;
        const auto& before = surface_.at(scale * std::cos(direction), scale * std::sin(direction));
        const double grain = noise.uniform(-6, 6);
        for (std::size_t c = 0; c < 3; ++c) {
          const double color = std::lerp(static_cast<double>(behind[c]), static_cast<double>(before[c]), cover);
          *rgb++ = static_cast<std::uint8_t>(std::clamp(color + grain, 0.0, 255.0));
        }
      }
    }
  }

  Random random_;
  detail::Texture background_;
  detail::Texture surface_;
  // In sides of the picture, radians, and frames from the middle of the clip.
  double x_ = 0;
  double y_ = 0;
  double log_radius_ = 0;
  double angle_ = 0;
  double dx_ = 0;
  double dy_ = 0;
  double growth_ = 0;  // of the radius's logarithm over the clip: however long, the shape fits
  double dangle_ = 0;
  // The outline: how often, and how deep, it is notched.
  Index lobes_ = 0;
  double depth_ = 0;
};

}  // namespace vjepa
