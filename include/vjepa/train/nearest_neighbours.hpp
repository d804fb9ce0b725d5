#pragma once

#include <Eigen/Core>
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
  /// Queries worth asking at once: each feature is then read once for all of them, and they stay in a cache.
  static constexpr std::size_t at_once = 32;

  NearestNeighbours(Index classes, Index k, double temperature)
      : classes_(static_cast<std::size_t>(classes)), k_(static_cast<std::size_t>(k)), temperature_(temperature) {}

  void add(std::span<const float> feature, std::int64_t label) {
    append_unit(feature, features_);
    labels_.push_back(static_cast<std::size_t>(label));
  }

  /// The votes for each class, a list for each of `queries` features, one after the other. Of neighbours that are
  /// equally near, those added first vote.
  std::vector<std::vector<double>> operator()(std::span<const float> features, std::size_t queries) const {
    const std::size_t dim = features.size() / queries;
    std::vector<float> units;
    for (std::size_t q = 0; q < queries; ++q) append_unit(features.subspan(q * dim, dim), units);
    std::vector<Nearest> nearest(queries);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      for (std::size_t q = 0; q < queries; ++q) {
        const float cosine = row(features_, i, dim).dot(row(units, q, dim));
        if (nearest[q].size() == k_ && cosine <= nearest[q].front().first) continue;
        insert(nearest[q], {cosine, i});
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

  static Eigen::Map<const Eigen::VectorXf> row(const std::vector<float>& rows, std::size_t i, std::size_t dim) {
    return {rows.data() + i * dim, static_cast<Eigen::Index>(dim)};
  }

  static void append_unit(std::span<const float> feature, std::vector<float>& out) {
    double square = 0;
    for (const float v : feature) square += static_cast<double>(v) * v;
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (const float v : feature) out.push_back(static_cast<float>(v * scale));
  }

  std::size_t classes_;
  std::size_t k_;
  double temperature_;
  std::vector<float> features_;  // [labels, dim], each of length 1
  std::vector<std::size_t> labels_;
};

}  // namespace vjepa
