// In the place of the files for CUDA, in a build without.
#include "classify.hpp"

bool classify_cuda_float32(const ClassifyRequest&, int device) {
  vjepa::fail("--device cuda:", device, ": this build has cpu alone; for a GPU, build where nvcc is");
}

bool classify_cuda_bfloat16(const ClassifyRequest& request, int device) {
  return classify_cuda_float32(request, device);
}
