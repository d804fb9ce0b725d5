#pragma once

// The device Cuda<S>, for files that nvcc compiles. Programs that a host compiler compiles call functions of such
// files.
#if !defined(__CUDACC__)
#error "vjepa/cuda.cuh has CUDA kernels: compile this file as CUDA (.cu, by nvcc), and call it from the others"
#endif

#include "vjepa/cuda/cuda.cuh"
