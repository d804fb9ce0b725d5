#include "common/gpu_context.hpp"
#include "on_device.hpp"

int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                          const vjepa::Checkpoint* probe, const program::Gpu& gpu, const Extraction& run) {
  vjepa::cuda::Context ctx = program::context(gpu);
  DeviceFeatures<ProgramCuda<vjepa::bf16>> features(ctx, options, checkpoint, probe);
  return run(features);
}
