#pragma once

#include <cstdint>

#include "vjepa/core/device.hpp"
#include "vjepa/core/pixels.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// From pictures to clips: a block for each of their lines.
template <class S>
struct Pixels {
  static void resize_pictures(Context& ctx, Vec<const std::uint8_t> bytes, View<const Picture, Dyn> pictures,
                              const PixelScale& scale, Clips<S> clips);
};

}  // namespace vjepa::cuda
