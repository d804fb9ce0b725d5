#include "common/gpu_context.hpp"
#include "on_device.hpp"

bool probe_cuda_float32(const vjepa::ProbeConfig& config, const program::Gpu& gpu, const Evaluation& run) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return offer<ProgramCuda<float>>(ctx, config, run);
}
