#include "pretrain.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool pretrain_cpu_float32(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int threads) {
  vjepa::cpu::Context ctx(threads);
  return pretrain<vjepa::Cpu<float, ProgramGemm>>(ctx, config, options);
}
