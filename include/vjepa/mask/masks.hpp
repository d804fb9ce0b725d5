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

namespace detail {

/// Cuts every list to the shortest, as a batch is dense; `most` bounds it further, and what is longer than `multiple`
/// is cut to a multiple of it.
inline std::vector<std::int32_t> cut_to_shortest(const std::vector<std::vector<std::int32_t>>& lists, std::size_t most,
                                                 Index multiple, Index& length) {
  for (const auto& list : lists) most = list.size() < most ? list.size() : most;
  length = static_cast<Index>(most);
  if (multiple > 0 && length > multiple) length -= length % multiple;
  std::vector<std::int32_t> dense;
  dense.reserve(lists.size() * static_cast<std::size_t>(length));
  for (const auto& list : lists) dense.insert(dense.end(), list.begin(), list.begin() + length);
  return dense;
}

}  // namespace detail

}  // namespace vjepa
