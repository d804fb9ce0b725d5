#include "classify.hpp"
#include "common/gpu_context.hpp"

bool classify_cuda_bfloat16(const ClassifyRequest& request, const program::Gpu& gpu) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return classify<ProgramCuda<vjepa::bf16>>(ctx, request);
}
