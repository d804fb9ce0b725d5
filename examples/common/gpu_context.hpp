#pragma once

#include "common/gpu.hpp"
#include "program_cuda.hpp"

namespace program {

inline vjepa::cuda::Context context(const Gpu& gpu) {
  return vjepa::cuda::Context(gpu.number, {.tf32 = gpu.tf32, .graphs = gpu.graphs});
}

}  // namespace program
