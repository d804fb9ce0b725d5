// The cases on Cuda<S>, for a GPU and for the emulator, which stands before the CUDA headers.
#include "cases.hpp"
#include "program_cuda.hpp"

namespace vjepa::test {

Outcome on_cuda(const std::string& name, const Sizes& sizes, Precision precision) {
  cuda::Context ctx(0, {.tf32 = sizes.tf32, .graphs = sizes.graphs});
  Outcome outcome = precision == Precision::bfloat16 ? Cases<Cuda<bf16>>(ctx).run(name, sizes)
                                                     : Cases<Cuda<float>>(ctx).run(name, sizes);
  if (sizes.graphs) outcome["graph launches"] = {static_cast<double>(ctx.graph_launches())};
  return outcome;
}

Outcome attention_of_programs(const Sizes& sizes) {
  cuda::Context ctx;
  return Cases<ProgramCuda<bf16>>(ctx).run("attention", sizes);
}

std::string refusal(int device) {
  try {
    cuda::Context ctx(device);
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace vjepa::test
