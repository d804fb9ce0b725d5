#include "common/gpu_context.hpp"
#include "extract_run.hpp"

int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, const program::Gpu& gpu) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return extract<ProgramCuda<vjepa::bf16>>(ctx, options, checkpoint);
}
