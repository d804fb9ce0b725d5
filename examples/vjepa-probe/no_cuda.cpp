// In the place of the files for CUDA, in a build without.
#include "probe.hpp"

bool probe_cuda_float32(const vjepa::ProbeConfig&, const program::Gpu& gpu, const Evaluation&) {
  program::refuse(gpu);
}

bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const program::Gpu& gpu, const Evaluation& run) {
  return probe_cuda_float32(config, gpu, run);
}
