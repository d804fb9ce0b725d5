#include "common/gpu_context.hpp"
#include "probe.hpp"

bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options,
                         const program::Gpu& gpu) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return probe<ProgramCuda<vjepa::bf16>>(ctx, config, options);
}
