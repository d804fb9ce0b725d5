// In the place of the files for CUDA, in a build without.
#include "pretrain.hpp"

bool pretrain_cuda_float32(const vjepa::PretrainConfig&, const vjepa::PretrainOptions&, const program::Gpu& gpu) {
  program::refuse(gpu);
}

bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options,
                            const program::Gpu& gpu) {
  return pretrain_cuda_float32(config, options, gpu);
}
