#pragma once

// The kernels of the device Cuda<S>. One file of a program, which nvcc compiles, has this and VJEPA_CUDA_DEVICE; the
// others include vjepa/cuda/cuda.hpp.
#if !defined(__CUDACC__)
#error "vjepa/cuda.cuh has CUDA kernels: compile this file as CUDA (.cu, by nvcc), or include vjepa/cuda/cuda.hpp"
#endif

#include "vjepa/cuda/cuda.cuh"
