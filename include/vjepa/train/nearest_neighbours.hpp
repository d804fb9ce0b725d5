#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// Classification by the k features that are nearest in cosine, each voting for its class with weight
/// exp(cosine / temperature) (Wu et al., "Unsupervised feature learning via non-parametric instance discrimination",
/// CVPR 2018).
class NearestNeighbours {
 public:
  NearestNeighbours(Index classes, Index k, double temperature)
      : classes_(static_cast<std::size_t>(classes)), k_(static_cast<std::size_t>(k)), temperature_(temperature) {}

  void add(std::span<const float> feature, std::int64_t label) {
    features_.push_back(unit(feature));
    labels_.push_back(static_cast<std::size_t>(label));
  }

  /// The votes for each class. Of neighbours that are equally near, those added first vote.
  std::vector<double> operator()(std::span<const float> feature) const {
    const std::vector<float> query = unit(feature);
    std::vector<std::pair<double, std::size_t>> nearest;
    for (std::size_t i = 0; i < features_.size(); ++i) {
      double cosine = 0;
      for (std::size_t d = 0; d < query.size(); ++d) cosine += static_cast<double>(query[d]) * features_[i][d];
      nearest.emplace_back(-cosine, i);
    }
    const std::size_t k = std::min(k_, nearest.size());
    std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(k), nearest.end());
    std::vector<double> votes(classes_, 0);
    for (std::size_t i = 0; i < k; ++i) votes[labels_[nearest[i].second]] += std::exp(-nearest[i].first / temperature_);
    return votes;
  }

 private:
  static std::vector<float> unit(std::span<const float> feature) {
    double square = 0;
    for (const float v : feature) square += static_cast<double>(v) * v;
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    std::vector<float> out;
    for (const float v : feature) out.push_back(static_cast<float>(v * scale));
    return out;
  }

  std::size_t classes_;
  std::size_t k_;
  double temperature_;
  std::vector<std::vector<float>> features_;
  std::vector<std::size_t> labels_;
};

}  // namespace vjepa
