#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"

namespace vjepa {

/// Brings features to mean 0 and deviation 1 over a training set: mean tokens differ little beside what they have in
/// common, and a linear probe would spend its steps on that.
struct FeatureScale {
  std::vector<double> mean;
  std::vector<double> deviation;

  bool empty() const { return mean.empty(); }

  /// (feature - mean) / (deviation + 1e-6), or the feature itself of an empty scale.
  std::vector<float> operator()(std::span<const float> feature) const {
    std::vector<float> out(feature.begin(), feature.end());
    for (std::size_t i = 0; !empty() && i < out.size(); ++i) {
      out[i] = static_cast<float>((static_cast<double>(feature[i]) - mean[i]) / (deviation[i] + 1e-6));
    }
    return out;
  }

  /// Adds both as tensors [dim], none of an empty scale.
  void save(StateDict& state) const {
    if (empty()) return;
    state.add("feature_scale.mean", {static_cast<Index>(mean.size())}, mean);
    state.add("feature_scale.deviation", {static_cast<Index>(deviation.size())}, deviation);
  }
  /// Reads both, where the file has them. Throws Error when they are not of features [dim].
  void load(const Checkpoint& file, Index dim) {
    if (!file.has_network("feature_scale.")) return;
    mean = file.at("feature_scale.mean").as<double>();
    deviation = file.at("feature_scale.deviation").as<double>();
    if (std::ssize(mean) == dim && std::ssize(deviation) == dim) return;
    fail(file.path().string(), ": the scale of features has ", mean.size(), " means and ", deviation.size(),
         " deviations, the encoder ", dim, " features");
  }
};

/// Sums over features, from which their scale is known.
class FeatureMoments {
 public:
  void add(std::span<const float> feature) {
    sums_.resize(feature.size());
    squares_.resize(feature.size());
    ++count_;
    for (std::size_t i = 0; i < feature.size(); ++i) {
      sums_[i] += static_cast<double>(feature[i]);
      squares_[i] += static_cast<double>(feature[i]) * static_cast<double>(feature[i]);
    }
  }

  /// Empty where nothing was added.
  FeatureScale scale() const {
    FeatureScale scale;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const double mean = sums_[i] / count_;
      scale.mean.push_back(mean);
      scale.deviation.push_back(std::sqrt(std::max(0.0, squares_[i] / count_ - mean * mean)));
    }
    return scale;
  }

 private:
  double count_ = 0;
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace vjepa
