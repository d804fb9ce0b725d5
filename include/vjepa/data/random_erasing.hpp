#pragma once

#include <cmath>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// Replaces a box of a clip, the same in every frame, by standard normal noise (Zhong et al., "Random erasing data
/// augmentation", AAAI 2020, with noise for each pixel and frame).
struct RandomErasing {
  double probability = 0.25;
  double min_area = 0.02;  // of the frame
  double max_area = 1.0 / 3.0;
  double min_aspect = 0.3;  // height to width, and its inverse the most

  /// `clip` is [3, frames, height, width], normalised. Leaves it as it is when no box of a hundred fits.
  void operator()(float* clip, Index frames, Index height, Index width, Random& random) const {
    if (!random.chance(probability)) return;
    for (int attempt = 0; attempt < 100; ++attempt) {
      const double area = random.uniform(min_area, max_area) * static_cast<double>(height * width);
      const double aspect = std::exp(random.uniform(std::log(min_aspect), -std::log(min_aspect)));
      const auto h = static_cast<Index>(std::lround(std::sqrt(area * aspect)));
      const auto w = static_cast<Index>(std::lround(std::sqrt(area / aspect)));
      if (h >= height || w >= width) continue;
      const Index top = random.below(height - h + 1);
      const Index left = random.below(width - w + 1);
      for (Index plane = 0; plane < 3 * frames; ++plane) {
        for (Index y = top; y < top + h; ++y) {
          float* row = clip + (plane * height + y) * width + left;
          for (Index x = 0; x < w; ++x) row[x] = static_cast<float>(random.normal());
        }
      }
      return;
    }
  }
};

}  // namespace vjepa
