#pragma once

#include <algorithm>
#include <cmath>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/resize.hpp"
#include "vjepa/data/static_camera.hpp"

namespace vjepa {

/// What a clip for evaluation goes through, as in the official evaluation. One view: the short side is resized to 256
/// for a crop of 224 (in proportion for others), and the middle is cut out. Several: the short side is resized to the
/// crop, and the views lie evenly along the long side.
struct EvalTransform {
  Index size = 224;
  Index views = 1;
  bool static_camera = false;  // first cut out what moves; last take away what stands still

  /// Writes normalised pixels, `views` times [3, frames.count, size, size], to `out`.
  void operator()(const Frames& frames, float* out) const {
    if (views < 1) fail("EvalTransform: views is ", views, "; it must be at least 1");
    if (!static_camera) return crop_views(frames, out);
    crop_views(cut_out(frames, moving_box(frames)), out);
    for (Index view = 0; view < views; ++view) {
      remove_background(out + view * 3 * frames.count * size * size, frames.count, size * size);
    }
  }

 private:
  void crop_views(const Frames& frames, float* out) const {
    const Index short_side = views == 1 ? size * 256 / 224 : size;
    const bool tall = frames.height > frames.width;
    const Index long_side = short_side * std::max(frames.height, frames.width) / std::min(frames.height, frames.width);
    const Index height = tall ? long_side : short_side;
    const Index width = tall ? short_side : long_side;
    // Views that overlap share what is resized; of a long strip, only what is seen is made.
    const bool apart = long_side > views * size;
    Frames seen;
    if (!apart) seen = resized(frames, height, width, {0, 0, height, width});
    for (Index view = 0; view < views; ++view) {
      Box box = views == 1 ? middle(height, width) : along(height, width, view);
      if (apart) {
        seen = resized(frames, height, width, box);
        box.top = box.left = 0;
      }
      for (Index t = 0; t < seen.count; ++t) {
        crop_resized(seen.frame(t), seen.width, box, size, false, out + (view * 3 * seen.count + t) * size * size,
                     seen.count * size * size);
      }
    }
  }

  Box middle(Index height, Index width) const {
    const auto half = [](Index rest) { return static_cast<Index>(std::lrint(static_cast<double>(rest) / 2)); };
    return {half(height - size), half(width - size), size, size};
  }

  Box along(Index height, Index width, Index view) const {
    const Index start = view * ((std::max(height, width) - size) / (views - 1));
    return height > width ? Box{start, 0, size, size} : Box{0, start, size, size};
  }
};

}  // namespace vjepa
