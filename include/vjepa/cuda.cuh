#pragma once

// The device Cuda<S> with its kernels, for the file that nvcc compiles, by VJEPA_CUDA_DEVICE, for those that include
// vjepa/cuda/cuda.hpp.
#if !defined(__CUDACC__)
#error "vjepa/cuda.cuh has CUDA kernels: compile this file as CUDA (.cu, by nvcc), or include vjepa/cuda/cuda.hpp"
#endif

#include "vjepa/cuda/cuda.cuh"
