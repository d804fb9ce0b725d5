#pragma once

// The device Cuda<S> with its kernels, for files that nvcc compiles: those that use it, or one that compiles it by
// VJEPA_CUDA_DEVICE for the others, which include vjepa/cuda/cuda.hpp.
#if !defined(__CUDACC__)
#error "vjepa/cuda.cuh has CUDA kernels: compile this file as CUDA (.cu, by nvcc), or include vjepa/cuda/cuda.hpp"
#endif

#include "vjepa/cuda/cuda.cuh"
