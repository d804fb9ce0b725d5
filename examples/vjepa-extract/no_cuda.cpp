// In the place of the files for CUDA, in a build without.
#include "extract.hpp"

int extract_cuda_float32(const ExtractOptions&, const vjepa::Checkpoint&, const vjepa::Checkpoint*,
                         const program::Gpu& gpu, const Extraction&) {
  program::refuse(gpu);
}

int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                          const vjepa::Checkpoint* probe, const program::Gpu& gpu, const Extraction& run) {
  return extract_cuda_float32(options, checkpoint, probe, gpu, run);
}
