#include "pretrain.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

bool pretrain_cpu_bfloat16(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int threads) {
  vjepa::cpu::Context ctx(threads);
  return pretrain<vjepa::Cpu<vjepa::bf16, ProgramGemm>>(ctx, config, options);
}
