#include "pretrain.hpp"
#include "program_cuda.cuh"

bool pretrain_cuda_float32(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int device) {
  vjepa::cuda::Context ctx(device);
  return pretrain<ProgramCuda<float>>(ctx, config, options);
}
