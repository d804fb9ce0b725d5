#include "classify.hpp"
#include "vjepa/cuda.cuh"

bool classify_cuda_float32(const ClassifyRequest& request, int device) {
  vjepa::cuda::Context ctx(device);
  return classify<vjepa::Cuda<float>>(ctx, request);
}
