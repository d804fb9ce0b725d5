#pragma once

#include <filesystem>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/fixed_views.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_views.hpp"

namespace vjepa {

/// From a video or image to the probabilities of its classes, by a trained probe in the views of the evaluation that it
/// was trained in. Keeps a reference to the probe.
class ProbeClassifier {
 public:
  ProbeClassifier(AnyProbe& probe, const ProbeConfig& config)
      : probe_(&probe),
        classes_(config.data.num_classes),
        views_(probe.encoder(),
               fixed_view_reader(config, validation_views(config), DecodingDevice(config.data.decode_on)),
               {.folder = {}}) {}

  /// The probability of each class. Throws Error that names a file that cannot be used.
  std::vector<double> operator()(const std::filesystem::path& path) {
    FixedViews::Sample sample = views_.read(path);
    views_.complete(sample);
    return mean_softmax(probe_->logits(sample.features), classes_);
  }

 private:
  AnyProbe* probe_;
  Index classes_;
  FixedViews views_;
};

}  // namespace vjepa
