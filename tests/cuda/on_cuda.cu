// The cases on Cuda<S>: by nvcc for a GPU, and by a host compiler for the emulator, which stands before the CUDA
// headers.
#include "cases.hpp"
#include "vjepa/cuda/cuda.cuh"

namespace vjepa::test {

Outcome on_cuda(const std::string& name, const Sizes& sizes, Precision precision) {
  cuda::Context ctx(0, {.graphs = sizes.graphs});
  Outcome outcome = precision == Precision::bfloat16 ? Cases<Cuda<bf16>>(ctx).run(name, sizes)
                                                     : Cases<Cuda<float>>(ctx).run(name, sizes);
  if (sizes.graphs) outcome["graph launches"] = {static_cast<double>(ctx.graph_launches())};
  return outcome;
}

std::string refusal(int device) {
  try {
    cuda::Context ctx(device);
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

#if defined(__CUDACC__)
bool emulated() {
  return false;
}
void reverse_threads(bool) {}
void limit_shared_memory(std::size_t) {}
#else
Outcome attention_of_programs(const Sizes&) {
  fail("no program runs on the emulator");
}
bool emulated() {
  return true;
}
void reverse_threads(bool reversed) {
  emulator::reversed = reversed;
}
void limit_shared_memory(std::size_t bytes) {
  emulator::most_shared_bytes = bytes > 0 ? bytes : cuda::shared_bytes_of_h100;
}
#endif

}  // namespace vjepa::test
