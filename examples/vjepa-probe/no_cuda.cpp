// In the place of the files for CUDA, in a build without.
#include "probe.hpp"

bool probe_cuda_float32(const vjepa::ProbeConfig&, const vjepa::ProbeOptions&, const program::Gpu& gpu) {
  program::refuse(gpu);
}

bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options,
                         const program::Gpu& gpu) {
  return probe_cuda_float32(config, options, gpu);
}
