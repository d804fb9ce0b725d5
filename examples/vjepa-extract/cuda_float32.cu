#include "extract_run.hpp"
#include "vjepa/cuda.cuh"

int extract_cuda_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, int device) {
  vjepa::cuda::Context ctx(device);
  return extract<vjepa::Cuda<float>>(ctx, options, checkpoint);
}
