#include "probe.hpp"
#include "program_cuda.cuh"

bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int device) {
  vjepa::cuda::Context ctx(device);
  return probe<ProgramCuda<vjepa::bf16>>(ctx, config, options);
}
