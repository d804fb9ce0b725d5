#include "extract_run.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

int extract_cpu_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint) {
  vjepa::cpu::Context ctx(options.threads);
  return extract<vjepa::Cpu<vjepa::bf16, ProgramGemm>>(ctx, options, checkpoint);
}
