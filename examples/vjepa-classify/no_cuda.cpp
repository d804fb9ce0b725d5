// In the place of the files for CUDA, in a build without.
#include "classify.hpp"

bool classify_cuda_float32(const ClassifyRequest&, const program::Gpu& gpu) {
  program::refuse(gpu);
}

bool classify_cuda_bfloat16(const ClassifyRequest& request, const program::Gpu& gpu) {
  return classify_cuda_float32(request, gpu);
}
