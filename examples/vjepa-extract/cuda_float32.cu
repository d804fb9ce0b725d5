#include "extract_run.hpp"
#include "program_cuda.cuh"

int extract_cuda_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, int device) {
  vjepa::cuda::Context ctx(device);
  return extract<ProgramCuda<float>>(ctx, options, checkpoint);
}
