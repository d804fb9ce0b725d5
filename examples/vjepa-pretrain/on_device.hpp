#pragma once

#include "pretrain.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/device_pretrainer.hpp"

/// Offers the pretrainer on device D. An unknown model is told before anything else is done.
template <vjepa::Device D>
bool offer(vjepa::Context<D>& ctx, const vjepa::PretrainConfig& config, const Pretraining& run) {
  const auto& model = config.model;
  vjepa::NamedModels::with(model.model_name, config.data.patch_size, config.data.tubelet_size, [&]<class Encoder>() {
    vjepa::NamedPredictorWidths::with<Encoder>(model.pred_embed_dim, []<class>() {});
  });
  return run(
      [&](vjepa::Index iterations_per_epoch) { return vjepa::make_pretrainer<D>(ctx, config, iterations_per_epoch); });
}
