#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/data/view_reader.hpp"
#include "vjepa/train/fixed_views.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_views.hpp"

namespace vjepa {

/// One sample of a batch on its way from a reader thread to the encoder.
struct TrainSample {
  Index item = 0;                    // of the list
  Views views;                       // augmented, or
  FixedViews::Sample fixed;          // fixed
  std::vector<std::string> skipped;  // why files before it could not be used
};

/// What an evaluation trains on: the endless shuffled stream of its training files, in which every file comes once an
/// epoch. Keeps references to all that it is given.
class TrainSamples {
 public:
  TrainSamples(const ProbeConfig& config, const VideoList& list, const DecodingDevice& decoder, const FixedViews& fixed)
      : config_(&config), list_(&list), decoder_(&decoder), fixed_(&fixed) {}

  /// Sample `task` of the stream; a file that cannot be used is replaced by one that the sample's own shuffle gives
  /// next. On any thread. Throws Error when no file can be used.
  TrainSample operator()(std::uint64_t task) const {
    const auto count = static_cast<std::uint64_t>(list_->size());
    const Permutation others({.seed = config_->seed, .purpose = Purpose::shuffle, .epoch = ~task}, count);
    TrainSample sample;
    for (std::uint64_t attempt = 0; attempt <= count; ++attempt) {
      sample.item =
          attempt == 0 ? list_->at(config_->seed, task, std::nullopt) : static_cast<Index>(others(attempt - 1));
      try {
        if (config_->probe.fixed_train_views) {
          sample.fixed = fixed_->read(list_->path(sample.item));
        } else {
          Random when({.seed = config_->seed, .purpose = Purpose::clip, .epoch = attempt, .sample = task});
          Random augment({.seed = config_->seed, .purpose = Purpose::augment, .epoch = attempt, .sample = task});
          sample.views = training_view_reader(*config_, *decoder_)(list_->path(sample.item), when, augment);
        }
        return sample;
      } catch (const Error& e) {
        sample.skipped.emplace_back(e.what());
      }
    }
    fail("none of the ", count, " training files can be used; the first: ", sample.skipped.front());
  }

 private:
  const ProbeConfig* config_;
  const VideoList* list_;
  const DecodingDevice* decoder_;
  const FixedViews* fixed_;
};

}  // namespace vjepa
