// In the place of the files for CUDA, in a build without.
#include "extract.hpp"

int extract_cuda_float32(const ExtractOptions&, const vjepa::Checkpoint&, int device) {
  vjepa::fail("--device cuda:", device, ": this build has cpu alone; for a GPU, build where nvcc is");
}

int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, int device) {
  return extract_cuda_float32(options, checkpoint, device);
}
