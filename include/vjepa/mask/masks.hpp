#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// The mask pairs of one group for one batch: which tokens of each clip the encoder sees, and which the predictor
/// guesses. Every clip has as many as the others, in increasing order.
struct Masks {
  Index batch = 0;
  Index kept = 0;
  Index hidden = 0;
  std::vector<std::int32_t> context;  // [batch, kept]
  std::vector<std::int32_t> target;   // [batch, hidden]
};

/// 0, 1, 2, ... for each clip of a batch, [batch, tokens]: every token of each is seen.
inline std::vector<std::int32_t> every_token(Index batch, Index tokens) {
  std::vector<std::int32_t> idx;
  idx.reserve(static_cast<std::size_t>(batch * tokens));
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < tokens; ++i) idx.push_back(static_cast<std::int32_t>(i));
  }
  return idx;
}

namespace detail {

/// Cuts every list to the shortest, as a batch is dense; `most` bounds it further.
inline std::vector<std::int32_t> cut_to_shortest(const std::vector<std::vector<std::int32_t>>& lists, std::size_t most,
                                                 Index& length) {
  for (const auto& list : lists) most = list.size() < most ? list.size() : most;
  length = static_cast<Index>(most);
  std::vector<std::int32_t> dense;
  dense.reserve(lists.size() * most);
  for (const auto& list : lists) dense.insert(dense.end(), list.begin(), list.begin() + length);
  return dense;
}

}  // namespace detail

}  // namespace vjepa
