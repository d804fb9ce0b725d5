#include "common/gpu_context.hpp"
#include "on_device.hpp"

bool classify_cuda_bfloat16(const ProbeSource& source, const program::Gpu& gpu, const Classification& run) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return offer<ProgramCuda<vjepa::bf16>>(ctx, source, run);
}
