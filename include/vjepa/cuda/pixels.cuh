#pragma once

#include <cuda_runtime.h>

#include <cassert>
#include <cstdint>

#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/pixels.hpp"

namespace vjepa::cuda {

/// A block for each line of the resized pictures, a thread for each of its pixels in turn.
template <class S, int threads>
__global__ void __launch_bounds__(threads)
    resize_pictures_kernel(Vec<const std::uint8_t> bytes, View<const Picture, Dyn> pictures, PixelScale scale,
                           Clips<S> clips) {
  const Index frames = clips.extent(2);
  const Index height = clips.extent(3);
  const Index width = clips.extent(4);
  const Index i = blockIdx.x / height;
  const Index y = blockIdx.x % height;
  const Picture picture = pictures(i);
  const BilinearTap rows = bilinear_tap(picture.height, height, y);
  const std::uint8_t* const top = bytes.data() + picture.begin + rows.low * picture.width * 3;
  const std::uint8_t* const bottom = bytes.data() + picture.begin + rows.high * picture.width * 3;
  S* const line = clips.data() + (i / frames * 3 * frames + i % frames) * height * width + y * width;
  for (Index x = threadIdx.x; x < width; x += threads) {
    const BilinearTap columns = bilinear_tap(picture.width, width, picture.mirrored ? width - 1 - x : x);
    const Index left = columns.low * 3;
    const Index right = columns.high * 3;
    for (int c = 0; c < 3; ++c) {
      const float above = (1 - columns.weight) * top[left + c] + columns.weight * top[right + c];
      const float below = (1 - columns.weight) * bottom[left + c] + columns.weight * bottom[right + c];
      const float pixel = (1 - rows.weight) * above + rows.weight * below;
      line[c * frames * height * width + x] = S((pixel - scale.mean[c]) / scale.deviation[c]);
    }
  }
}

template <class S>
void Pixels<S>::resize_pictures(Context& ctx, Vec<const std::uint8_t> bytes, View<const Picture, Dyn> pictures,
                                const PixelScale& scale, Clips<S> clips) {
  assert(clips.extent(1) == 3 && pictures.extent(0) == clips.extent(0) * clips.extent(2));
  constexpr int threads = 128;
  launch(ctx, {.blocks = pictures.extent(0) * clips.extent(3), .threads = threads}, resize_pictures_kernel<S, threads>,
         bytes, pictures, scale, clips);
}

}  // namespace vjepa::cuda
