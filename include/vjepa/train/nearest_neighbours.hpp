#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/train/probe_metrics.hpp"

namespace vjepa {

/// Classification by the k features that are nearest in cosine, each voting for its class with weight
/// exp(cosine / temperature) (Wu et al., "Unsupervised feature learning via non-parametric instance discrimination",
/// CVPR 2018).
class NearestNeighbours {
 public:
  /// Queries worth asking at once: each feature is then read once for all of them, and they stay in a cache.
  static constexpr std::size_t at_once = 32;

  /// k is 1 or more.
  NearestNeighbours(Index classes, Index k, double temperature)
      : classes_(static_cast<std::size_t>(classes)), k_(static_cast<std::size_t>(k)), temperature_(temperature) {}

  /// All features have one length.
  void add(std::span<const float> feature, std::int64_t label) {
    const std::vector<float> added = unit(feature);
    features_.insert(features_.end(), added.begin(), added.end());
    labels_.push_back(static_cast<std::size_t>(label));
  }

  /// The votes for each class, a list for each of `queries` features, at most `at_once`, of the length of those added,
  /// one after the other. Of neighbours that are equally near, those added first vote.
  std::vector<std::vector<double>> operator()(std::span<const float> features, std::size_t queries) const {
    const std::size_t dim = features.size() / queries;
    // [dim, at_once]: each cosine is summed in the order of the features, all queries side by side.
    std::vector<float> across(dim * at_once, 0);
    for (std::size_t q = 0; q < queries; ++q) {
      const std::vector<float> query = unit(features.subspan(q * dim, dim));
      for (std::size_t d = 0; d < dim; ++d) across[d * at_once + q] = query[d];
    }
    std::vector<Nearest> nearest(queries);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      std::array<float, at_once> cosines{};
      for (std::size_t d = 0; d < dim; ++d) {
        const float value = features_[i * dim + d];
        for (std::size_t q = 0; q < at_once; ++q) cosines[q] += value * across[d * at_once + q];
      }
      for (std::size_t q = 0; q < queries; ++q) {
        if (nearest[q].size() < k_ || cosines[q] > nearest[q].front().first) insert(nearest[q], {cosines[q], i});
      }
    }
    std::vector<std::vector<double>> votes(queries, std::vector<double>(classes_, 0));
    for (std::size_t q = 0; q < queries; ++q) {
      for (const auto& [cosine, i] : nearest[q]) {
        votes[q][labels_[i]] += std::exp(static_cast<double>(cosine) / temperature_);
      }
    }
    return votes;
  }

 private:
  /// A heap of at most k neighbours, its front the farthest, and of equally far ones the last added.
  using Nearest = std::vector<std::pair<float, std::size_t>>;

  void insert(Nearest& heap, std::pair<float, std::size_t> neighbour) const {
    const auto nearer = [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    if (heap.size() == k_) {
      std::pop_heap(heap.begin(), heap.end(), nearer);
      heap.pop_back();
    }
    heap.push_back(neighbour);
    std::push_heap(heap.begin(), heap.end(), nearer);
  }

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
  std::vector<float> features_;  // [labels, dim], each of length 1
  std::vector<std::size_t> labels_;
};

/// How often nearest neighbours are right on features that come one by one; as many as are worth it are asked at once.
class NeighbourAccuracy {
 public:
  explicit NeighbourAccuracy(const NearestNeighbours& neighbours) : neighbours_(&neighbours) {}

  void add(std::span<const float> feature, std::int64_t label) {
    features_.insert(features_.end(), feature.begin(), feature.end());
    labels_.push_back(label);
    if (labels_.size() == NearestNeighbours::at_once) ask();
  }

  /// Of all that were added.
  TopK finish() {
    if (!labels_.empty()) ask();
    return accuracy_;
  }

 private:
  void ask() {
    const auto votes = (*neighbours_)(features_, labels_.size());
    for (std::size_t q = 0; q < labels_.size(); ++q) accuracy_.add(votes[q], labels_[q]);
    features_.clear();
    labels_.clear();
  }

  const NearestNeighbours* neighbours_;
  std::vector<float> features_;  // of what is not asked yet, one after the other
  std::vector<std::int64_t> labels_;
  TopK accuracy_;
};

}  // namespace vjepa
