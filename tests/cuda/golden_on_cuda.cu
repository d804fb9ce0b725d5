#include "golden.hpp"
#include "golden/vit_tiny.hpp"
#if defined(__CUDACC__)
#include "program_cuda.cuh"
#else
#include "vjepa/cuda/cuda.cuh"
template <class S>
using ProgramCuda = vjepa::Cuda<S>;
#endif

namespace vjepa::test {

std::vector<float> vit_tiny_on_cuda(const Checkpoint& weights, const StoredTensor& clips,
                                    const std::vector<std::int32_t>& idx, Precision precision) {
  cuda::Context ctx;
  return precision == Precision::bfloat16 ? vit_tiny_features<ProgramCuda<bf16>>(ctx, weights, clips, idx)
                                          : vit_tiny_features<ProgramCuda<float>>(ctx, weights, clips, idx);
}

}  // namespace vjepa::test
