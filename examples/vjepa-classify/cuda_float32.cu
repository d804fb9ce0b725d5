#include "classify.hpp"
#include "program_cuda.cuh"

bool classify_cuda_float32(const ClassifyRequest& request, int device) {
  vjepa::cuda::Context ctx(device);
  return classify<ProgramCuda<float>>(ctx, request);
}
