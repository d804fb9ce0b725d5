#include "on_device.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

int extract_cpu_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                         const vjepa::Checkpoint* probe, const Extraction& run) {
  vjepa::cpu::Context ctx(options.threads);
  DeviceFeatures<vjepa::Cpu<vjepa::bf16, ProgramGemm>> features(ctx, options, checkpoint, probe);
  return run(features);
}
