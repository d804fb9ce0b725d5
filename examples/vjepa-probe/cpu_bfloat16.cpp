#include "on_device.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool probe_cpu_bfloat16(const vjepa::ProbeConfig& config, int threads, const Evaluation& run) {
  vjepa::cpu::Context ctx(threads);
  return offer<vjepa::Cpu<vjepa::bf16, ProgramGemm>>(ctx, config, run);
}
