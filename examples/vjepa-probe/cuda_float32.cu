#include "probe.hpp"
#include "program_cuda.cuh"

bool probe_cuda_float32(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int device) {
  vjepa::cuda::Context ctx(device);
  return probe<ProgramCuda<float>>(ctx, config, options);
}
