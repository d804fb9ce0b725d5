#include "common/gpu_context.hpp"
#include "on_device.hpp"

bool pretrain_cuda_float32(const vjepa::PretrainConfig& config, const program::Gpu& gpu, const Pretraining& run) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return offer<ProgramCuda<float>>(ctx, config, run);
}
