// In the place of the files for CUDA, in a build without.
#include "pretrain.hpp"

bool pretrain_cuda_float32(const vjepa::PretrainConfig&, const vjepa::PretrainOptions&, int device) {
  vjepa::fail("--device cuda:", device, ": this build has cpu alone; for a GPU, build where nvcc is");
}

bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int device) {
  return pretrain_cuda_float32(config, options, device);
}
