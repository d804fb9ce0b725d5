// The kernels that cuda.cpp uses. A program that does more has VJEPA_CUDA_DEVICE(float), which takes a minute.
#include <vjepa/cuda.cuh>

template struct vjepa::cuda::Update<float>;
