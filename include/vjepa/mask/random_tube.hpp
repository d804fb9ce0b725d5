#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/mask/masks.hpp"

namespace vjepa {

/// Random-tube masking (Tong et al., VideoMAE, arXiv 2203.12602): the same random patches are hidden in every frame.
struct RandomTube {
  double ratio = 0.9;  // share of a frame that is hidden

  /// Masks for `batch` clips of `grid` tokens. Throws Error when the ratio leaves nothing to see or to predict.
  template <RandomSource Place>
  Masks operator()(const TokenGrid& grid, Index batch, Place& place) const {
    const Index patches = grid.height * grid.width;
    const auto kept = static_cast<Index>(static_cast<double>(patches) * (1.0 - ratio));
    if (kept <= 0 || kept >= patches) {
      fail("mask: a ratio of ", ratio, " keeps ", kept, " of ", patches,
           " patches; there must be some to see and some to predict");
    }
    Masks masks{.batch = batch,
                .kept = kept * grid.depth,
                .hidden = (patches - kept) * grid.depth,
                .context = {},
                .target = {}};
    std::vector<std::int32_t> order(static_cast<std::size_t>(patches));
    for (Index clip = 0; clip < batch; ++clip) {
      std::iota(order.begin(), order.end(), 0);
      for (Index i = patches - 1; i > 0; --i) {
        std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(place.below(i + 1))]);
      }
      std::sort(order.begin(), order.begin() + kept);
      std::sort(order.begin() + kept, order.end());
      for (Index d = 0; d < grid.depth; ++d) {
        const auto frame = static_cast<std::int32_t>(d * patches);
        for (Index i = 0; i < patches; ++i) {
          (i < kept ? masks.context : masks.target).push_back(frame + order[static_cast<std::size_t>(i)]);
        }
      }
    }
    return masks;
  }

  bool operator==(const RandomTube&) const = default;
};

}  // namespace vjepa
