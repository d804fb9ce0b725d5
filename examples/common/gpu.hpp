#pragma once

#include "vjepa/core/error.hpp"

namespace program {

/// A GPU and how to use it, as the command line says.
struct Gpu {
  int number = 0;       // N of cuda:N
  bool tf32 = false;    // products of float32 by tensor cores
  bool graphs = false;  // passes of repeated shapes as CUDA graphs
};

/// In a build without CUDA.
[[noreturn]] inline void refuse(const Gpu& gpu) {
  vjepa::fail("--device cuda:", gpu.number, ": this build has cpu alone; for a GPU, build where nvcc is");
}

}  // namespace program
