#pragma once

#include <array>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/pixel_operations.hpp"

namespace vjepa {

/// Two changes of a picture, each with a probability and a strength, by one of the 25 policies that were found on
/// ImageNet (Cubuk et al., "AutoAugment", CVPR 2019, tables 6 and 9). All frames of a clip are treated alike.
struct AutoAugment {
  void operator()(Frames& frames, Random& random) const {
    for (const Change& change : policies[static_cast<std::size_t>(random.below(policies.size()))]) {
      const bool wanted = random.chance(change.probability);
      const double sign = random.chance(0.5) ? -1 : 1;
      if (wanted) apply(change, sign, frames);
    }
  }

 private:
  enum class Kind { auto_contrast, color, contrast, equalize, invert, posterize, rotate, sharpness, shear_x, solarize };
  struct Change {
    Kind kind;
    double probability;
    int strength;  // of 10
  };

  static constexpr std::array<std::array<Change, 2>, 25> policies = {{
      {{{Kind::posterize, 0.4, 8}, {Kind::rotate, 0.6, 9}}},
      {{{Kind::solarize, 0.6, 5}, {Kind::auto_contrast, 0.6, 5}}},
      {{{Kind::equalize, 0.8, 8}, {Kind::equalize, 0.6, 3}}},
      {{{Kind::posterize, 0.6, 7}, {Kind::posterize, 0.6, 6}}},
      {{{Kind::equalize, 0.4, 7}, {Kind::solarize, 0.2, 4}}},
      {{{Kind::equalize, 0.4, 4}, {Kind::rotate, 0.8, 8}}},
      {{{Kind::solarize, 0.6, 3}, {Kind::equalize, 0.6, 7}}},
      {{{Kind::posterize, 0.8, 5}, {Kind::equalize, 1.0, 2}}},
      {{{Kind::rotate, 0.2, 3}, {Kind::solarize, 0.6, 8}}},
      {{{Kind::equalize, 0.6, 8}, {Kind::posterize, 0.4, 6}}},
      {{{Kind::rotate, 0.8, 8}, {Kind::color, 0.4, 0}}},
      {{{Kind::rotate, 0.4, 9}, {Kind::equalize, 0.6, 2}}},
      {{{Kind::equalize, 0.0, 7}, {Kind::equalize, 0.8, 8}}},
      {{{Kind::invert, 0.6, 4}, {Kind::equalize, 1.0, 8}}},
      {{{Kind::color, 0.6, 4}, {Kind::contrast, 1.0, 8}}},
      {{{Kind::rotate, 0.8, 8}, {Kind::color, 1.0, 2}}},
      {{{Kind::color, 0.8, 8}, {Kind::solarize, 0.8, 7}}},
      {{{Kind::sharpness, 0.4, 7}, {Kind::invert, 0.6, 8}}},
      {{{Kind::shear_x, 0.6, 5}, {Kind::equalize, 1.0, 9}}},
      {{{Kind::color, 0.4, 0}, {Kind::equalize, 0.6, 3}}},
      {{{Kind::equalize, 0.4, 7}, {Kind::solarize, 0.2, 4}}},
      {{{Kind::solarize, 0.6, 5}, {Kind::auto_contrast, 0.6, 5}}},
      {{{Kind::invert, 0.6, 4}, {Kind::equalize, 1.0, 8}}},
      {{{Kind::color, 0.6, 4}, {Kind::contrast, 1.0, 8}}},
      {{{Kind::equalize, 0.8, 8}, {Kind::equalize, 0.6, 3}}},
  }};

  static void apply(const Change& change, double sign, Frames& frames) {
    const double part = change.strength / 10.0;
    const double factor = 0.1 + 1.8 * part;
    switch (change.kind) {
      case Kind::auto_contrast:
        return auto_contrast(frames);
      case Kind::color:
        return adjust_color(frames, factor);
      case Kind::contrast:
        return adjust_contrast(frames, factor);
      case Kind::equalize:
        return equalize(frames);
      case Kind::invert:
        return invert(frames);
      case Kind::posterize:
        return posterize(frames, 4 + static_cast<int>(part * 4));
      case Kind::rotate:
        return warp(frames, rotation(sign * 30 * part, frames.height, frames.width));
      case Kind::sharpness:
        return adjust_sharpness(frames, factor);
      case Kind::shear_x:
        return warp(frames, {1, sign * 0.3 * part, 0, 0, 1, 0});
      case Kind::solarize:
        return solarize(frames, static_cast<int>(part * 256));
    }
  }
};

}  // namespace vjepa
