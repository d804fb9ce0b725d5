// In the place of the files for CUDA, in a build without.
#include "probe.hpp"

bool probe_cuda_float32(const vjepa::ProbeConfig&, const vjepa::ProbeOptions&, int device) {
  vjepa::fail("--device cuda:", device, ": this build has cpu alone; for a GPU, build where nvcc is");
}

bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int device) {
  return probe_cuda_float32(config, options, device);
}
