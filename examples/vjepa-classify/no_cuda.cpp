// In the place of the files for CUDA, in a build without.
#include "classify.hpp"

bool classify_cuda_float32(const ProbeSource&, const program::Gpu& gpu, const Classification&) {
  program::refuse(gpu);
}

bool classify_cuda_bfloat16(const ProbeSource& source, const program::Gpu& gpu, const Classification& run) {
  return classify_cuda_float32(source, gpu, run);
}
