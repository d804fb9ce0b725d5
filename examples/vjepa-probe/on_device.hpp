#pragma once

#include "probe.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/probe_in_training.hpp"

/// Offers the probe on device D. An unknown model is told before anything else is done.
template <vjepa::Device D>
bool offer(vjepa::Context<D>& ctx, const vjepa::ProbeConfig& config, const Evaluation& run) {
  const auto& p = config.pretrain;
  vjepa::NamedModels::with(p.model_name, p.patch_size, p.tubelet_size, []<class>() {});
  return run([&](const vjepa::Checkpoint& encoder, vjepa::Index iterations_per_epoch) {
    return vjepa::make_probe<D>(ctx, encoder, config, iterations_per_epoch);
  });
}
