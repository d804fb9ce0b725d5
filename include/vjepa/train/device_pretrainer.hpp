#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/data/cut_clip.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/any_pretrainer.hpp"
#include "vjepa/train/feature_spread.hpp"
#include "vjepa/train/pretrain_config.hpp"
#include "vjepa/train/pretrainer.hpp"
#include "vjepa/train/run_state.hpp"
#include "vjepa/train/step_report.hpp"

namespace vjepa {

/// The pretrainer of one device and model.
template <Device D, class Encoder, class PredictorModel>
class DevicePretrainer final : public AnyPretrainer {
 public:
  DevicePretrainer(Context<D>& ctx, const PretrainConfig& config, Index iterations_per_epoch)
      : trainer_(ctx, config, iterations_per_epoch) {}

  std::string device() const override { return D::describe(trainer_.context()); }
  Index encoder_size() const override { return count_params(Encoder{}); }
  bool stages_beside() const override { return D::Feed::beside; }
  int staged() const override { return trainer_.staged(); }
  void stage(std::span<const float> clips) override { trainer_.stage(clips); }
  void stage(std::span<const CutClip> clips) override { trainer_.stage(clips); }
  StepReport step_staged(const std::function<void()>& meanwhile) override { return trainer_.step_staged(meanwhile); }
  FeatureSpread target_spread() override { return trainer_.target_spread(); }
  void save(const std::filesystem::path& path, const RunPosition& position,
            const std::map<std::string, std::string>& metadata) override {
    save_run_state(path, trainer_, position, metadata);
  }
  RunPosition load(const Checkpoint& file) override { return load_run_state(file, trainer_); }

 private:
  Pretrainer<D, Encoder, PredictorModel> trainer_;
};

/// The pretrainer of a configuration's encoder and predictor, one of `Models` and `Widths`. Throws Error as their
/// `with` do.
template <Device D, class Models = NamedModels, class Widths = NamedPredictorWidths>
std::unique_ptr<AnyPretrainer> make_pretrainer(Context<D>& ctx, const PretrainConfig& config,
                                               Index iterations_per_epoch) {
  std::unique_ptr<AnyPretrainer> made;
  Models::with(config.model.model_name, config.data.patch_size, config.data.tubelet_size, [&]<class Encoder>() {
    Widths::template with<Encoder>(config.model.pred_embed_dim, [&]<class Guess>() {
      made = std::make_unique<DevicePretrainer<D, Encoder, Guess>>(ctx, config, iterations_per_epoch);
    });
  });
  return made;
}

}  // namespace vjepa
