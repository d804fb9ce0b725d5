#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/mask/masks.hpp"

namespace vjepa {

/// Multi-block masking (V-JEPA, arXiv 2404.08471, section 3.2): the target is the union of some blocks that span
/// the clip in time, the context is what is left. Names and defaults are those of the official configurations.
struct Multiblock3d {
  std::array<double, 2> aspect_ratio = {0.75, 1.5};  // height / width of a block, least and most
  Index num_blocks = 8;
  std::array<double, 2> spatial_scale = {0.15, 0.15};  // area of a block as a share of a frame
  std::array<double, 2> temporal_scale = {1.0, 1.0};   // length of a block as a share of the clip
  double max_temporal_keep = 1.0;                      // the context spans so much of the clip at most, from its start
  std::optional<Index> max_keep = std::nullopt;        // most tokens of a context
  // Contexts and targets that are longer are cut to a multiple of so many tokens, so that steps have the same shapes
  // more often; our own key.
  Index multiple_of = 1;

  /// Masks for `batch` clips of `grid` tokens. All blocks of a batch have one size, drawn from `size`; their places
  /// are drawn from `place`. Throws Error when the blocks always cover a whole clip, or hide nothing of it.
  template <RandomSource Size, RandomSource Place>
  Masks operator()(const TokenGrid& grid, Index batch, Size& size, Place& place) const {
    const TokenGrid block = block_size(grid, size);
    std::vector<std::vector<std::int32_t>> contexts;
    std::vector<std::vector<std::int32_t>> targets;
    for (Index clip = 0; clip < batch; ++clip) {
      auto [context, target] = sample(grid, block, place);
      contexts.push_back(std::move(context));
      targets.push_back(std::move(target));
    }
    Masks masks{.batch = batch, .context = {}, .target = {}};
    const auto all = static_cast<std::size_t>(grid.size());
    const std::size_t most = max_keep ? static_cast<std::size_t>(std::max<Index>(0, *max_keep)) : all;
    masks.context = detail::cut_to_shortest(contexts, most, multiple_of, masks.kept);
    masks.target = detail::cut_to_shortest(targets, all, multiple_of, masks.hidden);
    if (masks.hidden == 0 || masks.kept == 0) {
      fail("mask: ", num_blocks, " blocks of ", block.depth, "x", block.height, "x", block.width, " tokens leave ",
           masks.kept, " tokens of context and ", masks.hidden, " to predict in a clip of ", grid.depth, "x",
           grid.height, "x", grid.width, "; both must be more than none: change spatial_scale or max_keep");
    }
    return masks;
  }

  bool operator==(const Multiblock3d&) const = default;

 private:
  // The official collator tries for ever; a mask that covers everything this often always does.
  static constexpr int most_attempts = 1000;

  template <RandomSource Size>
  TokenGrid block_size(const TokenGrid& grid, Size& size) const {
    const auto draw = [&](const std::array<double, 2>& range) {
      const double u = size.uniform();
      return range[0] + u * (range[1] - range[0]);
    };
    const double length = draw(temporal_scale);
    const double area = draw(spatial_scale);
    const double ratio = draw(aspect_ratio);
    const auto tokens = static_cast<double>(static_cast<Index>(static_cast<double>(grid.height * grid.width) * area));
    // Ties to even, as Python rounds.
    const auto rounded = [](double x) { return static_cast<Index>(std::nearbyint(x)); };
    return {.depth = std::clamp<Index>(static_cast<Index>(static_cast<double>(grid.depth) * length), 1, grid.depth),
            .height = std::min(grid.height, rounded(std::sqrt(tokens * ratio))),
            .width = std::min(grid.width, rounded(std::sqrt(tokens / ratio)))};
  }

  template <RandomSource Place>
  std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> sample(const TokenGrid& grid, const TokenGrid& block,
                                                                         Place& place) const {
    const auto context_depth =
        std::max<Index>(1, static_cast<Index>(static_cast<double>(grid.depth) * max_temporal_keep));
    std::vector<char> hidden;
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
      hidden.assign(static_cast<std::size_t>(grid.size()), 0);
      for (Index b = 0; b < num_blocks; ++b) {
        const Index top = place.below(grid.height - block.height + 1);
        const Index left = place.below(grid.width - block.width + 1);
        const Index start = place.below(grid.depth - block.depth + 1);
        for (Index d = start; d < start + block.depth; ++d) {
          for (Index h = top; h < top + block.height; ++h) {
            const auto row = hidden.begin() + (d * grid.height + h) * grid.width + left;
            std::fill(row, row + block.width, 1);
          }
        }
      }
      if (context_depth < grid.depth) {
        std::fill(hidden.begin() + context_depth * grid.height * grid.width, hidden.end(), 1);
      }
      std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>> masks;
      for (std::size_t i = 0; i < hidden.size(); ++i) {
        (hidden[i] == 0 ? masks.first : masks.second).push_back(static_cast<std::int32_t>(i));
      }
      if (!masks.first.empty()) return masks;
    }
    fail("mask: ", num_blocks, " blocks of ", block.depth, "x", block.height, "x", block.width,
         " tokens hid a whole clip of ", grid.depth, "x", grid.height, "x", grid.width, " tokens in ", most_attempts,
         " attempts; use fewer or smaller blocks");
  }
};

}  // namespace vjepa
