#include "common/gpu_context.hpp"
#include "probe.hpp"

bool probe_cuda_float32(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, const program::Gpu& gpu) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return probe<ProgramCuda<float>>(ctx, config, options);
}
