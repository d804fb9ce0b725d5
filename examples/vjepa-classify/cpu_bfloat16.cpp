#include "classify.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool classify_cpu_bfloat16(const ClassifyRequest& request) {
  vjepa::cpu::Context ctx(request.threads);
  return classify<vjepa::Cpu<vjepa::bf16, ProgramGemm>>(ctx, request);
}
