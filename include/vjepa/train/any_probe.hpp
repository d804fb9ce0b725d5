#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/train/any_frozen_encoder.hpp"
#include "vjepa/train/probe_step.hpp"

namespace vjepa {

/// A probe and its encoder, of any device and model, as code on the host sees them. Device and model are chosen once,
/// and that code is compiled once for all of them.
class AnyProbe {
 public:
  virtual ~AnyProbe() = default;
  AnyProbe(const AnyProbe&) = delete;
  AnyProbe& operator=(const AnyProbe&) = delete;

  /// The device, in words.
  virtual std::string device() const = 0;
  virtual AnyFrozenEncoder& encoder() = 0;
  /// Logits [sequences, classes] of the tokens of a file in the views of validation.
  virtual std::vector<float> logits(const ViewFeatures& features) = 0;

 protected:
  AnyProbe() = default;
};

/// A probe in training, and the linear classifier beside it. A batch is begun, each of its samples put into it, and
/// trained on.
class AnyProbeInTraining : public AnyProbe {
 public:
  /// Begins a batch of so many samples.
  virtual void begin(Index samples) = 0;
  /// Sample `b` of the batch, in the views of training: clips that are encoded now. Returns the mean of their tokens.
  virtual std::vector<float> put(Index b, std::span<const float> clips, std::span<const Index> numbers) = 0;
  /// The same for a sample whose tokens are there.
  virtual void put(Index b, const ViewFeatures& features) = 0;
  /// One step on the batch, the means [samples, dim] of its tokens and its classes. Throws Error, the weights
  /// untouched, when the loss is not finite.
  virtual ProbeStep step(std::span<const float> means, std::span<const std::int32_t> labels) = 0;
  /// Logits [batch, classes] of the linear classifier, of means [batch, dim].
  virtual std::vector<float> linear_logits(std::span<const float> means) = 0;

  /// Adds weights and moments.
  virtual void save(StateDict& state) = 0;
  /// Reads what `save` added, after `steps` steps. Throws Error that says what does not fit.
  virtual void load(const Checkpoint& file, std::int64_t steps) = 0;
};

/// Makes a probe on a checkpoint's encoder for a run of so many steps an epoch.
using MakeProbe =
    std::function<std::unique_ptr<AnyProbeInTraining>(const Checkpoint& encoder, Index iterations_per_epoch)>;

}  // namespace vjepa
