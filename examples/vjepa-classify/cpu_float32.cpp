#include "classify.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool classify_cpu_float32(const ClassifyRequest& request) {
  vjepa::cpu::Context ctx(request.threads);
  return classify<vjepa::Cpu<float, ProgramGemm>>(ctx, request);
}
