#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// What a random number is for. Streams of different purposes are independent, so that adding a draw
/// in one place never changes another.
enum class Purpose : std::uint32_t { init, shuffle, clip, augment, mask_size, mask_place, synth, user };

/// Names a stream of random numbers: the same key gives the same numbers on every machine, whichever
/// thread asks and in whatever order.
struct RandomKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::user;
  std::uint64_t epoch = 0;
  std::uint64_t sample = 0;
};

/// A source of uniform numbers, as the mask collators take it.
template <class R>
concept RandomSource = requires(R& random, Index n) {
  { random.uniform() } -> std::convertible_to<double>;  // in [0, 1)
  { random.below(n) } -> std::convertible_to<Index>;    // in [0, n)
};

/// Philox 4x32-10: four random words for a counter and a key (Salmon, Moraes, Dror, Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011).
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xd2511f53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xcd9e8d57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9e3779b9u;
    key[1] += 0xbb67ae85u;
  }
  return counter;
}

/// A word that depends on every bit of `z`, and differs for every other: SplitMix64's finaliser (Steele, Lea, Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014).
constexpr std::uint64_t mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// The random numbers of one key. Has the shape of a standard uniform random bit generator.
class Random {
 public:
  using result_type = std::uint32_t;

  explicit Random(const RandomKey& key) : sample_(key.sample) {
    const std::uint64_t mixed = mix(mix(mix(key.seed) ^ static_cast<std::uint64_t>(key.purpose)) ^ key.epoch);
    key_ = {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)};
  }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xffffffffu; }

  result_type operator()() {
    if (used_ == block_.size()) refill();
    return block_[used_++];
  }

  /// Uniform in [0, 1), 53 random bits.
  double uniform() {
    const std::uint64_t high = (*this)();
    const std::uint64_t low = (*this)();
    return static_cast<double>(((high << 32) | low) >> 11) * 0x1.0p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform integer in [0, n), n > 0.
  Index below(Index n) {
    // 64 bits against n: the bias is below n / 2^64, nothing that a run could see.
    const std::uint64_t high = (*this)();
    const std::uint64_t bits = (high << 32) | (*this)();
    return static_cast<Index>(bits % static_cast<std::uint64_t>(n));
  }

  /// True with probability p.
  bool chance(double p) { return uniform() < p; }

  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  void refill() {
    block_ = philox({static_cast<std::uint32_t>(counter_), static_cast<std::uint32_t>(counter_ >> 32),
                     static_cast<std::uint32_t>(sample_), static_cast<std::uint32_t>(sample_ >> 32)},
                    key_);
    used_ = 0;
    ++counter_;
  }

  std::array<std::uint32_t, 2> key_{};
  std::uint64_t sample_ = 0;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

/// The element that stands at position `i` of a random permutation of [0, n), without storing the
/// permutation: a Feistel network over the next power of four, walked until it lands inside
/// (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). O(1) memory, so a list
/// of millions of videos costs nothing to shuffle.
class Permutation {
 public:
  Permutation(const RandomKey& key, std::uint64_t n) : n_(n) {
    while (half_bits_ < 32 && (std::uint64_t{1} << (2 * half_bits_)) < n) ++half_bits_;
    Random random(key);
    for (auto& round : keys_) round = random();
  }

  std::uint64_t size() const { return n_; }

  std::uint64_t operator()(std::uint64_t i) const {
    do i = encrypt(i);
    while (i >= n_);
    return i;
  }

 private:
  std::uint64_t encrypt(std::uint64_t value) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (const std::uint32_t key : keys_) {
      std::uint64_t f = (right ^ key) * 0x9e3779b97f4a7c15u;
      f ^= f >> 29;
      f *= 0xbf58476d1ce4e5b9u;
      f ^= f >> 32;
      left = std::exchange(right, left ^ (f & mask));
    }
    return (left << half_bits_) | right;
  }

  std::uint64_t n_;
  int half_bits_ = 1;
  std::array<std::uint32_t, 8> keys_{};
};

}  // namespace vjepa
