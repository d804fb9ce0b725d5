#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "vjepa/core/view.hpp"
#include "vjepa/data/cut_clip.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/train/feature_spread.hpp"
#include "vjepa/train/run_state.hpp"
#include "vjepa/train/step_report.hpp"

namespace vjepa {

/// A pretrainer of any device and model, as a run sees it. Device and model are chosen once, and the loop around the
/// steps is compiled once for all of them.
class AnyPretrainer {
 public:
  virtual ~AnyPretrainer() = default;
  AnyPretrainer(const AnyPretrainer&) = delete;
  AnyPretrainer& operator=(const AnyPretrainer&) = delete;

  /// The device, in words.
  virtual std::string device() const = 0;
  /// Parameters of the encoder.
  virtual Index encoder_size() const = 0;
  /// Whether clips can be staged while the device works.
  virtual bool stages_beside() const = 0;

  // These are as Pretrainer has them.
  virtual int staged() const = 0;
  virtual void stage(std::span<const float> clips) = 0;
  virtual void stage(std::span<const CutClip> clips) = 0;
  virtual StepReport step_staged(const std::function<void()>& meanwhile) = 0;
  virtual FeatureSpread target_spread() = 0;

  /// As save_run_state and load_run_state.
  virtual void save(const std::filesystem::path& path, const RunPosition& position,
                    const std::map<std::string, std::string>& metadata) = 0;
  virtual RunPosition load(const Checkpoint& file) = 0;

 protected:
  AnyPretrainer() = default;
};

/// Makes a pretrainer for a run of so many steps an epoch.
using MakePretrainer = std::function<std::unique_ptr<AnyPretrainer>(Index iterations_per_epoch)>;

}  // namespace vjepa
