#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <variant>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/auto_augment.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/random_augment.hpp"
#include "vjepa/data/random_erasing.hpp"
#include "vjepa/data/static_camera.hpp"

namespace vjepa {

/// What a clip for training goes through: RandAugment or AutoAugment, a random resized crop, a mirror with probability
/// a half, normalisation, random erasing. All frames of a clip are treated alike.
struct ClipTransform {
  Index size = 224;
  std::array<double, 2> scale = {0.3, 1.0};
  std::array<double, 2> aspect_ratio = {3.0 / 4.0, 4.0 / 3.0};
  bool flip = true;
  bool motion_shift = false;   // the box wanders evenly from one random place to another
  bool static_camera = false;  // first cut out what moves; last take away what stands still
  std::variant<std::monostate, RandomAugment, AutoAugment> augment;
  std::optional<RandomErasing> erasing;

  /// Writes normalised pixels, [3, frames.count, size, size], to `out`. Augmentation overwrites `frames`.
  void operator()(Frames& frames, Random& random, float* out) const {
    if (static_camera) {
      Frames moving = cut_out(frames, moving_box(frames));
      augmented(moving, random, out);
      remove_background(out, frames.count, size * size);
    } else {
      augmented(frames, random, out);
    }
    if (erasing) (*erasing)(out, frames.count, size, size, random);
  }

 private:
  /// Everything but the treatment of a static camera's background and random erasing.
  void augmented(Frames& frames, Random& random, float* out) const {
    if (const auto* policy = std::get_if<RandomAugment>(&augment)) (*policy)(frames, random);
    if (const auto* policy = std::get_if<AutoAugment>(&augment)) (*policy)(frames, random);
    const Box first = random_box(frames.height, frames.width, scale, aspect_ratio, random);
    const Box last = motion_shift ? random_box(frames.height, frames.width, scale, aspect_ratio, random) : first;
    const bool mirrored = flip && random.chance(0.5);
    for (Index t = 0; t < frames.count; ++t) {
      const Box box = motion_shift ? between(first, last, t, frames) : first;
      crop_resized(frames.frame(t), frames.width, box, size, mirrored, out + t * size * size,
                   frames.count * size * size);
    }
  }

  /// The box at frame t: of the first one's size, kept inside the frame.
  static Box between(const Box& first, const Box& last, Index t, const Frames& frames) {
    const double part = frames.count > 1 ? static_cast<double>(t) / static_cast<double>(frames.count - 1) : 0;
    const auto mix = [&](Index a, Index b, Index most) {
      const double at = static_cast<double>(a) + part * static_cast<double>(b - a);
      return std::clamp<Index>(static_cast<Index>(at), 0, most);
    };
    return {mix(first.top, last.top, frames.height - first.height),
            mix(first.left, last.left, frames.width - first.width), first.height, first.width};
  }
};

}  // namespace vjepa
