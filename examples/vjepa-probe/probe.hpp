#pragma once

#include <cstdint>
#include <cstdio>

#include "common/gpu.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_run.hpp"
#include "vjepa/train/probe_sets.hpp"

// A file for each device, so that they compile side by side. Each runs the configuration's evaluation on `threads`
// threads (0: every core) or on a GPU, and returns false when interrupted.
bool probe_cpu_float32(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int threads);
bool probe_cpu_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, int threads);
bool probe_cuda_float32(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, const program::Gpu& gpu);
bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options, const program::Gpu& gpu);

/// Selects the encoder by the configuration's names, and evaluates it on device D.
template <vjepa::Device D>
bool probe(vjepa::Context<D>& ctx, const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& options) {
  using namespace vjepa;
  bool finished = false;
  const auto& p = config.pretrain;
  NamedModels::with(p.model_name, p.patch_size, p.tubelet_size, [&]<class Encoder>() {
    ProbeRun<D, Encoder> run(ctx, config, options);
    std::printf("%s from %s on %s\n", p.model_name.c_str(), p.path().c_str(), D::describe(ctx).c_str());
    std::printf("%lld files to train on, %lld to validate, %lld classes; %lld steps an epoch, %lld epochs\n",
                static_cast<long long>(run.sets().train.size()), static_cast<long long>(run.sets().val.size()),
                static_cast<long long>(config.data.num_classes), static_cast<long long>(run.iterations_per_epoch()),
                static_cast<long long>(config.optimization.num_epochs));
    if (const std::int64_t label = run.sets().largest_label(); label < config.data.num_classes - 1) {
      std::fprintf(stderr, "warning: %s: the labels to train on end with %lld; data.num_classes is %lld\n",
                   ProbeSets::sources(config).c_str(), static_cast<long long>(label),
                   static_cast<long long>(config.data.num_classes));
    }
    if (run.steps() > 0) std::printf("resuming at step %lld\n", static_cast<long long>(run.steps()));
    std::fflush(stdout);
    finished = run.run();
    std::printf("%s\n  checkpoint %s\n", finished ? "done" : "interrupted; go on with --resume",
                run.files().latest().c_str());
    if (!run.results().epochs.empty()) {
      std::printf("  results    %s\n  confusion  %s\n", run.files().results().c_str(),
                  run.files().confusion("svg").c_str());
    }
  });
  return finished;
}
