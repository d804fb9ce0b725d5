#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "vjepa/core/view.hpp"
#include "vjepa/cuda/context.hpp"
#include "vjepa/cuda/packs.hpp"
#include "vjepa/cuda/resource.hpp"

// What every kernel is written with. Kernels are plain CUDA C++ with two habits: they are launched by `launch` and not
// by chevrons, and all their shared memory is `dynamic_shared`. So a host compiler can compile them too, with a header
// of the tests in the place of <cuda_runtime.h>.

namespace vjepa::cuda {

inline constexpr int warp_size = 32;

/// How many blocks of how many threads, and the shared memory of each block in bytes.
struct Grid {
  Index blocks = 0;
  int threads = 0;
  std::size_t shared = 0;
  Index blocks_y = 1;
};

/// Warps of `count` threads each take one of `rows`, with `warps` warps in a block.
inline Grid warp_for_each(Index rows, int warps = 8) {
  return {.blocks = (rows + warps - 1) / warps, .threads = warps * warp_size};
}

/// Puts a kernel on the context's stream. Throws Error when it cannot start.
template <class... Parameters, class... Arguments>
void launch(Context& ctx, const Grid& grid, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (grid.blocks == 0 || grid.blocks_y == 0) return;
  const cudaStream_t stream = ctx.stream();        // first: a kernel asks for memory of the current device
  constexpr std::size_t always_there = 48 * 1024;  // more than this a kernel must ask for
  if (grid.shared > always_there) {
    check("cudaFuncSetAttribute",
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(grid.shared)));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(grid.threads));
  config.dynamicSmemBytes = grid.shared;
  config.stream = stream;
  check("cudaLaunchKernelEx", cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...));
}

extern __shared__ uint4 dynamic_shared_memory[];

/// The block's shared memory, aligned to 16 bytes.
template <class T>
__device__ T* dynamic_shared() {
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

__device__ inline int lane_index() {
  return static_cast<int>(threadIdx.x) % warp_size;
}
__device__ inline int warp_index() {
  return static_cast<int>(threadIdx.x) / warp_size;
}
/// Warps in a block.
__device__ inline int warp_count() {
  return static_cast<int>(blockDim.x) / warp_size;
}
/// Of this warp among those of all blocks along x.
__device__ inline Index global_warp_index() {
  return static_cast<Index>(blockIdx.x) * warp_count() + warp_index();
}

/// The sum over the lanes of the warp, in every lane, always in the same order.
template <class T>
__device__ T warp_sum(T value) {
  for (int distance = warp_size / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  }
  return value;
}
template <class T>
__device__ T warp_max(T value) {
  for (int distance = warp_size / 2; distance > 0; distance /= 2) {
    const T other = __shfl_xor_sync(0xffffffffu, value, distance);
    value = other > value ? other : value;
  }
  return value;
}

/// `count` values that are read and written at once: 16 bytes, or a multiple of them.
template <class T, int count>
struct alignas(sizeof(T) * count < 16 ? sizeof(T) * count : 16) Pack {
  T values[count];

  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
};

template <int count, class T>
__device__ Pack<T, count> load(const T* from) {
  return *reinterpret_cast<const Pack<T, count>*>(from);
}
/// To global memory.
template <class T, int count>
__device__ void store(T* to, const Pack<T, count>& pack) {
  if constexpr (sizeof(pack) % sizeof(uint4) == 0) {
    // Left to itself, the compiler cuts some of these stores into the values that the pack is made of.
    for (std::size_t i = 0; i < sizeof(pack) / sizeof(uint4); ++i) {
      uint4 word;
      memcpy(&word, reinterpret_cast<const unsigned char*>(&pack) + i * sizeof(word), sizeof(word));
      __stwb(reinterpret_cast<uint4*>(to) + i, word);
    }
  } else {
    *reinterpret_cast<Pack<T, count>*>(to) = pack;
  }
}

}  // namespace vjepa::cuda
