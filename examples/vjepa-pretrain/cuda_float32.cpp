#include "common/gpu_context.hpp"
#include "pretrain.hpp"

bool pretrain_cuda_float32(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options,
                           const program::Gpu& gpu) {
  vjepa::cuda::Context ctx = program::context(gpu);
  return pretrain<ProgramCuda<float>>(ctx, config, options);
}
