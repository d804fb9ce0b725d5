#include "golden.hpp"
#include "golden/vit_tiny.hpp"
#include "program_cuda.hpp"

namespace vjepa::test {

std::vector<float> vit_tiny_on_cuda(const Checkpoint& weights, const StoredTensor& clips,
                                    const std::vector<std::int32_t>& idx, Precision precision) {
  cuda::Context ctx;
  return precision == Precision::bfloat16 ? vit_tiny_features<ProgramCuda<bf16>>(ctx, weights, clips, idx)
                                          : vit_tiny_features<ProgramCuda<float>>(ctx, weights, clips, idx);
}

}  // namespace vjepa::test
