#include "common/gpu_context.hpp"
#include "on_device.hpp"

bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const program::Gpu& gpu, const Pretraining& run) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return offer<ProgramCuda<vjepa::bf16>>(ctx, config, run);
}
