#pragma once

#include <cstdio>

#include "common/gpu.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/pretrain_config.hpp"
#include "vjepa/train/pretrain_run.hpp"

// A file for each device, so that they compile side by side. Each runs the configuration's model on `threads` threads
// (0: every core) or on a GPU, and returns false when interrupted.
bool pretrain_cpu_float32(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int threads);
bool pretrain_cpu_bfloat16(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options, int threads);
bool pretrain_cuda_float32(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options,
                           const program::Gpu& gpu);
bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options,
                            const program::Gpu& gpu);

/// Selects encoder and predictor by the configuration's names, and runs them on device D.
template <vjepa::Device D>
bool pretrain(vjepa::Context<D>& ctx, const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& options) {
  using namespace vjepa;
  bool finished = false;
  NamedModels::with(config.model.model_name, config.data.patch_size, config.data.tubelet_size, [&]<class Encoder>() {
    NamedPredictorWidths::with<Encoder>(config.model.pred_embed_dim, [&]<class Guess>() {
      PretrainRun<D, Encoder, Guess> run(ctx, config, options);
      const double millions = static_cast<double>(run.trainer().encoder().layout().size()) / 1e6;
      std::printf("%s (%.1f M parameters) on %s\n", config.model.model_name.c_str(), millions,
                  D::describe(ctx).c_str());
      std::printf("%lld videos, %lld steps of %lld an epoch, %lld epochs\n",
                  static_cast<long long>(run.videos().size()), static_cast<long long>(run.iterations_per_epoch()),
                  static_cast<long long>(config.data.batch_size), static_cast<long long>(config.optimization.epochs));
      if (run.position().steps > 0) {
        std::printf("resuming at step %lld\n", static_cast<long long>(run.position().steps));
      }
      std::fflush(stdout);
      finished = run.run();
      std::printf("%s\n  checkpoint %s\n  log        %s\n  loss curve %s\n",
                  finished ? "done" : "interrupted; go on with --resume", run.files().latest().c_str(),
                  run.files().log().c_str(), run.files().chart().c_str());
    });
  });
  return finished;
}
