#pragma once

#include <cstdint>
#include <random>

#include "vjepa/core/random.hpp"

namespace vjepa {

/// The numbers that PyTorch's CPU generator gives for a seed, one at a time: torch.rand(1) and
/// torch.randint(0, n, (1,)) after torch.manual_seed(seed). A 32-bit Mersenne twister (Matsumoto and Nishimura,
/// ACM TOMACS 1998). It makes the mask collators reproduce the official indices.
class TorchRandom {
 public:
  explicit TorchRandom(std::uint32_t seed) : engine_(seed) {}

  double uniform() { return static_cast<double>(engine_() & 0xffffffu) * 0x1.0p-24; }
  Index below(Index n) { return static_cast<Index>(engine_() % static_cast<std::uint64_t>(n)); }

 private:
  std::mt19937 engine_;
};

static_assert(RandomSource<TorchRandom>);

}  // namespace vjepa
