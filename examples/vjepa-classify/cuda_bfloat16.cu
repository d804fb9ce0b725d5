#include "classify.hpp"
#include "program_cuda.cuh"

bool classify_cuda_bfloat16(const ClassifyRequest& request, int device) {
  vjepa::cuda::Context ctx(device);
  return classify<ProgramCuda<vjepa::bf16>>(ctx, request);
}
