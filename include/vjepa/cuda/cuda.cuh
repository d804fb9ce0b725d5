#pragma once

#include "vjepa/cuda/attention.cuh"
#include "vjepa/cuda/cuda.hpp"
#include "vjepa/cuda/gather.cuh"
#include "vjepa/cuda/linalg.cuh"
#include "vjepa/cuda/losses.cuh"
#include "vjepa/cuda/pixels.cuh"
#include "vjepa/cuda/rows.cuh"
#include "vjepa/cuda/update.cuh"

/// The operations of Cuda<S>, compiled where this stands for all files of the program that include
/// vjepa/cuda/cuda.hpp: `VJEPA_CUDA_DEVICE(float);` and `VJEPA_CUDA_DEVICE(vjepa::bf16);`, outside of namespaces.
#define VJEPA_CUDA_DEVICE(S)                      \
  template struct vjepa::cuda::FlashAttention<S>; \
  template struct vjepa::cuda::Gather<S>;         \
  template struct vjepa::cuda::Linalg<S>;         \
  template struct vjepa::cuda::Losses<S>;         \
  template struct vjepa::cuda::Pixels<S>;         \
  template struct vjepa::cuda::Rows<S>;           \
  template struct vjepa::cuda::Update<S>
