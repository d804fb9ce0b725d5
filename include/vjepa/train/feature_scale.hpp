#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace vjepa {

/// Brings features to mean 0 and deviation 1 over a training set: mean tokens differ little beside what they have in
/// common, and a linear probe would spend its steps on that.
class FeatureScale {
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

  /// (feature - mean) / (deviation + 1e-6), or the feature itself where none was added.
  std::vector<float> operator()(std::span<const float> feature) const {
    std::vector<float> out(feature.begin(), feature.end());
    for (std::size_t i = 0; count_ > 0 && i < out.size(); ++i) {
      const double mean = sums_[i] / count_;
      const double variance = std::max(0.0, squares_[i] / count_ - mean * mean);
      out[i] = static_cast<float>((static_cast<double>(feature[i]) - mean) / (std::sqrt(variance) + 1e-6));
    }
    return out;
  }

 private:
  double count_ = 0;
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace vjepa
