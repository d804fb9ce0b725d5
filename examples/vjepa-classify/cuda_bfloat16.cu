#include "classify.hpp"
#include "vjepa/cuda.cuh"

bool classify_cuda_bfloat16(const ClassifyRequest& request, int device) {
  vjepa::cuda::Context ctx(device);
  return classify<vjepa::Cuda<vjepa::bf16>>(ctx, request);
}
