#include "extract_run.hpp"
#include "program_cuda.cuh"

int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, int device) {
  vjepa::cuda::Context ctx(device);
  return extract<ProgramCuda<vjepa::bf16>>(ctx, options, checkpoint);
}
