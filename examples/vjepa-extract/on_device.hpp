#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "extract.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/infer/pooling.hpp"
#include "vjepa/infer/probe_pooling.hpp"
#include "vjepa/io/checkpoint.hpp"

/// AnyFeatures on device D, by the encoder that the options name.
template <vjepa::Device D>
class DeviceFeatures final : public AnyFeatures {
 public:
  DeviceFeatures(vjepa::Context<D>& ctx, const ExtractOptions& o, const vjepa::Checkpoint& checkpoint,
                 const vjepa::Checkpoint* probe)
      : ctx_(&ctx),
        pool_(o.pool),
        encoder_(vjepa::make_feature_extractor<D>(ctx, checkpoint,
                                                  {.clip = {.frames = o.window, .height = o.size, .width = o.size},
                                                   .network = o.checkpoint_key,
                                                   .partial = o.partial,
                                                   .made_for = o.interpolate ? o.trained : std::nullopt,
                                                   .layers = o.layers},
                                                  o.model, o.patch, o.tubelet)) {
    if (probe != nullptr) probe_ = vjepa::make_probe_pooling<D>(ctx, *probe, o.model, o.patch, o.tubelet);
  }

  std::string device() const override { return D::describe(*ctx_); }
  vjepa::TokenGrid grid() const override { return encoder_->grid(); }
  vjepa::Index dim() const override { return encoder_->dim(); }
  const std::vector<vjepa::Index>& layers() const override { return encoder_->options().layers; }
  const vjepa::ParamDiff& diff() const override { return encoder_->diff(); }

  std::vector<std::vector<float>> operator()(std::span<const float> clips) override {
    std::vector<std::vector<float>> layers;
    for (const auto& tokens : (*encoder_)(clips)) layers.push_back(pooled(tokens));
    return layers;
  }

 private:
  std::vector<float> pooled(vjepa::Seq<const vjepa::Scalar<D>> tokens) {
    switch (pool_) {
      case Pool::mean:
        return vjepa::mean_tokens<D>(*ctx_, tokens);
      case Pool::tokens:
        return vjepa::all_tokens<D>(*ctx_, tokens);
      case Pool::probe:
        return (*probe_)(tokens);
    }
    return {};
  }

  vjepa::Context<D>* ctx_;
  Pool pool_;
  std::unique_ptr<vjepa::AnyFeatureExtractor<D>> encoder_;
  std::unique_ptr<vjepa::AnyProbeHead<D>> probe_;  // of Pool::probe
};
