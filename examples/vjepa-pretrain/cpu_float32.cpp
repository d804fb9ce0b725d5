#include "on_device.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool pretrain_cpu_float32(const vjepa::PretrainConfig& config, int threads, const Pretraining& run) {
  vjepa::cpu::Context ctx(threads);
  return offer<vjepa::Cpu<float, ProgramGemm>>(ctx, config, run);
}
