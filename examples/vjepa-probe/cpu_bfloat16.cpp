#include "probe.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool probe_cpu_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int threads) {
  vjepa::cpu::Context ctx(threads);
  return probe<vjepa::Cpu<vjepa::bf16, ProgramGemm>>(ctx, config, options);
}
