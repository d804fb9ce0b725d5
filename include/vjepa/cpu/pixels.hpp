#pragma once

#include <cassert>
#include <cstdint>

#include "vjepa/core/device.hpp"
#include "vjepa/core/pixels.hpp"
#include "vjepa/cpu/context.hpp"

namespace vjepa::cpu {

template <class S>
struct Pixels {
  static void resize_pictures(Context& ctx, Vec<const std::uint8_t> bytes, View<const Picture, Dyn> pictures,
                              const PixelScale& scale, Clips<S> clips) {
    const Index frames = clips.extent(2);
    const Index height = clips.extent(3);
    const Index width = clips.extent(4);
    assert(clips.extent(1) == 3 && pictures.extent(0) == clips.extent(0) * frames);
    parallel_for(ctx, pictures.extent(0) * height, [&](Index line, int) {
      const Index i = line / height;
      const Index y = line % height;
      const Picture& picture = pictures(i);
      const BilinearTap rows = bilinear_tap(picture.height, height, y);
      const std::uint8_t* const top = bytes.data() + picture.begin + rows.low * picture.width * 3;
      const std::uint8_t* const bottom = bytes.data() + picture.begin + rows.high * picture.width * 3;
      for (Index x = 0; x < width; ++x) {
        const BilinearTap columns = bilinear_tap(picture.width, width, x);
        const Index left = columns.low * 3;
        const Index right = columns.high * 3;
        const Index to = picture.mirrored ? width - 1 - x : x;
        for (Index c = 0; c < 3; ++c) {
          const float above = (1 - columns.weight) * top[left + c] + columns.weight * top[right + c];
          const float below = (1 - columns.weight) * bottom[left + c] + columns.weight * bottom[right + c];
          const float pixel = (1 - rows.weight) * above + rows.weight * below;
          S* const plane = clips.data() + ((i / frames * 3 + c) * frames + i % frames) * height * width;
          plane[y * width + to] = (pixel - scale.mean[c]) / scale.deviation[c];
        }
      }
    });
  }
};

}  // namespace vjepa::cpu
