// In the place of the files for CUDA, in a build without.
#include "pretrain.hpp"

bool pretrain_cuda_float32(const vjepa::PretrainConfig&, const program::Gpu& gpu, const Pretraining&) {
  program::refuse(gpu);
}

bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const program::Gpu& gpu, const Pretraining& run) {
  return pretrain_cuda_float32(config, gpu, run);
}
