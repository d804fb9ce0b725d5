#include "on_device.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool classify_cpu_float32(const ProbeSource& source, int threads, const Classification& run) {
  vjepa::cpu::Context ctx(threads);
  return offer<vjepa::Cpu<float, ProgramGemm>>(ctx, source, run);
}
