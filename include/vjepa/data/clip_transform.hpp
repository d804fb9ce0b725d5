#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <optional>
#include <variant>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/auto_augment.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/cut_clip.hpp"
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

  /// As much of the transform as comes before resizing, drawing what all of it draws; the rest is `resize_pictures` of
  /// a device. Not with `static_camera` or `erasing`, which change resized pixels. Augmentation overwrites `frames`.
  void cut(Frames& frames, Random& random, CutClip& out) const {
    assert(!static_camera && !erasing);
    const Window window = augment_and_place(frames, random);
    out.mirrored = window.mirrored;
    out.frames.reshape(frames.count, window.first.height, window.first.width);
    for (Index t = 0; t < frames.count; ++t) copy_box(frames, t, window.at(t, frames), out.frames.frame(t));
  }

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
  /// What of a clip is seen: a box that wanders evenly from the first frame to the last.
  struct Window {
    Box first;
    Box last;
    bool mirrored;

    /// The box at frame t: of the first one's size, kept inside the frame.
    Box at(Index t, const Frames& frames) const {
      const double part = frames.count > 1 ? static_cast<double>(t) / static_cast<double>(frames.count - 1) : 0;
      const auto mix = [&](Index a, Index b, Index most) {
        const double place = static_cast<double>(a) + part * static_cast<double>(b - a);
        return std::clamp<Index>(static_cast<Index>(place), 0, most);
      };
      return {mix(first.top, last.top, frames.height - first.height),
              mix(first.left, last.left, frames.width - first.width), first.height, first.width};
    }
  };

  Window augment_and_place(Frames& frames, Random& random) const {
    if (const auto* policy = std::get_if<RandomAugment>(&augment)) (*policy)(frames, random);
    if (const auto* policy = std::get_if<AutoAugment>(&augment)) (*policy)(frames, random);
    const Box first = random_box(frames.height, frames.width, scale, aspect_ratio, random);
    const Box last = motion_shift ? random_box(frames.height, frames.width, scale, aspect_ratio, random) : first;
    return {first, last, flip && random.chance(0.5)};
  }

  /// Everything but the treatment of a static camera's background and random erasing.
  void augmented(Frames& frames, Random& random, float* out) const {
    const Window window = augment_and_place(frames, random);
    for (Index t = 0; t < frames.count; ++t) {
      crop_resized(frames.frame(t), frames.width, window.at(t, frames), size, window.mirrored, out + t * size * size,
                   frames.count * size * size);
    }
  }
};

}  // namespace vjepa
