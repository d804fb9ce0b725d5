#pragma once

#include <algorithm>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/pixel_operations.hpp"

namespace vjepa {

/// Some changes of a picture, drawn from fifteen, each applied with a probability and a strength around `magnitude`
/// (Cubuk et al., "RandAugment", 2020). The defaults are the policy of the official configs, `rand-m7-n4-mstd0.5-inc1`
/// in the notation of timm: a greater magnitude always changes the picture more. All frames of a clip are treated
/// alike.
struct RandomAugment {
  double magnitude = 7;  // of 10
  double deviation = 0.5;
  int operations = 4;
  double probability = 0.5;  // of each of them

  void operator()(Frames& frames, Random& random) const {
    for (int i = 0; i < operations; ++i) {
      const Index operation = random.below(15);
      const bool wanted = random.chance(probability);
      const double part = std::clamp(magnitude + deviation * random.normal(), 0.0, 10.0) / 10;
      const double sign = random.chance(0.5) ? -1 : 1;
      if (wanted) apply(operation, part, sign, frames);
    }
  }

 private:
  static void apply(Index operation, double part, double sign, Frames& frames) {
    const double factor = 1 + sign * 0.9 * part;
    const double shear = sign * 0.3 * part;
    const double shift = sign * 0.45 * part;
    switch (operation) {
      case 0:
        return auto_contrast(frames);
      case 1:
        return equalize(frames);
      case 2:
        return invert(frames);
      case 3:
        return warp(frames, rotation(sign * 30 * part, frames.height, frames.width));
      case 4:
        return posterize(frames, 4 - static_cast<int>(part * 4));
      case 5:
        return solarize(frames, 256 - static_cast<int>(part * 256));
      case 6:
        return solarize_add(frames, static_cast<int>(part * 110));
      case 7:
        return adjust_color(frames, factor);
      case 8:
        return adjust_contrast(frames, factor);
      case 9:
        return adjust_brightness(frames, factor);
      case 10:
        return adjust_sharpness(frames, factor);
      case 11:
        return warp(frames, {1, shear, 0, 0, 1, 0});
      case 12:
        return warp(frames, {1, 0, 0, shear, 1, 0});
      case 13:
        return warp(frames, {1, 0, shift * static_cast<double>(frames.width), 0, 1, 0});
      default:
        return warp(frames, {1, 0, 0, 0, 1, shift * static_cast<double>(frames.height)});
    }
  }
};

}  // namespace vjepa
