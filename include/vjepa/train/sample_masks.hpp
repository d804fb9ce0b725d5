#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

/// The masks of one step of a run for `samples` clips of `grid` tokens, one for each entry of the configuration's
/// `mask`. A function of the seed and the number of the step.
inline std::vector<Masks> sample_masks(const PretrainConfig& config, const TokenGrid& grid, Index samples,
                                       std::int64_t step) {
  std::vector<Masks> masks;
  for (std::size_t group = 0; group < config.mask.size(); ++group) {
    const auto random = [&](Purpose purpose) {
      return Random(
          {.seed = config.meta.seed, .purpose = purpose, .epoch = group, .sample = static_cast<std::uint64_t>(step)});
    };
    Random size = random(Purpose::mask_size);
    Random place = random(Purpose::mask_place);
    if (const auto* blocks = std::get_if<Multiblock3d>(&config.mask[group])) {
      masks.push_back((*blocks)(grid, samples, size, place));
    } else {
      masks.push_back(std::get<RandomTube>(config.mask[group])(grid, samples, place));
    }
  }
  return masks;
}

}  // namespace vjepa
