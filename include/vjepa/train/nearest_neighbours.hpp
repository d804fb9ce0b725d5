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

  /// The votes for each class, a list for each of `queries` features of the length of those added, one after the other.
  /// Of neighbours that are equally near, those added first vote.
  std::vector<std::vector<double>> operator()(std::span<const float> features, std::size_t queries) const {
    std::vector<Nearest> nearest(queries);
    for (std::size_t begin = 0; begin < queries; begin += at_once) {
      const std::size_t count = std::min(at_once, queries - begin);
      const std::size_t dim = features.size() / queries;
      find(features.subspan(begin * dim, count * dim), std::span(nearest).subspan(begin, count));
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

  void find(std::span<const float> features, std::span<Nearest> nearest) const {
    const std::size_t dim = features.size() / nearest.size();
    // [dim, at_once]: each cosine is summed in the order of the features, all queries side by side.
    std::vector<float> across(dim * at_once, 0);
    for (std::size_t q = 0; q < nearest.size(); ++q) {
      const std::vector<float> query = unit(features.subspan(q * dim, dim));
      for (std::size_t d = 0; d < dim; ++d) across[d * at_once + q] = query[d];
    }
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      std::array<float, at_once> cosines{};
      for (std::size_t d = 0; d < dim; ++d) {
        const float value = features_[i * dim + d];
        for (std::size_t q = 0; q < at_once; ++q) cosines[q] += value * across[d * at_once + q];
      }
      for (std::size_t q = 0; q < nearest.size(); ++q) {
        if (nearest[q].size() < k_ || cosines[q] > nearest[q].front().first) insert(nearest[q], {cosines[q], i});
      }
    }
  }

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

}  // namespace vjepa
