#include "on_device.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool probe_cpu_float32(const vjepa::ProbeConfig& config, int threads, const Evaluation& run) {
  vjepa::cpu::Context ctx(threads);
  return offer<vjepa::Cpu<float, ProgramGemm>>(ctx, config, run);
}
