#pragma once

#include <cstdint>

#include "vjepa/core/host_device.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// A picture in RGB among others that lie in one piece of memory, [height, width, 3] bytes from `begin` on.
struct Picture {
  std::int64_t begin = 0;
  std::int32_t height = 0;
  std::int32_t width = 0;
  bool mirrored = false;  // shown with left and right exchanged
};

/// What is subtracted from each channel of pixels from 0 to 255, and what they are then divided by.
struct PixelScale {
  float mean[3];
  float deviation[3];
};

/// Mean and standard deviation of natural images (ImageNet).
inline constexpr PixelScale natural_pixels = {{0.485f * 255, 0.456f * 255, 0.406f * 255},
                                              {0.229f * 255, 0.224f * 255, 0.225f * 255}};

/// Where a sample of a resized axis lies: out = (1 - weight) in[low] + weight in[high].
struct BilinearTap {
  Index low = 0;
  Index high = 0;
  float weight = 0;
};

/// That of sample `i` when `in` pixels become `out`: centres of pixels are mapped to each other and held inside
/// (torch.nn.functional.interpolate's align_corners = False).
VJEPA_HOST_DEVICE constexpr BilinearTap bilinear_tap(Index in, Index out, Index i) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const float place = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
  const float at = place > 0 ? place : 0;
  const auto whole = static_cast<Index>(at);
  const Index low = whole < in - 1 ? whole : in - 1;
  const Index high = low + 1 < in - 1 ? low + 1 : in - 1;
  return {low, high, at - static_cast<float>(low)};
}

}  // namespace vjepa
