// Attention as the programs have it on a GPU: by cuDNN where CMake found that.
#include "cases.hpp"
#include "program_cuda.cuh"

namespace vjepa::test {

Outcome attention_of_programs(const Sizes& sizes) {
  cuda::Context ctx;
  return Cases<ProgramCuda<bf16>>(ctx).run("attention", sizes);
}

}  // namespace vjepa::test
