#include "vjepa/core/random.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("philox gives the published numbers") {
  // Known answers that the authors distribute with Random123.
  const std::uint32_t ones = 0xffffffffu;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        std::array<std::uint32_t, 4>{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        std::array<std::uint32_t, 4>{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
}

TEST_CASE("the same key gives the same numbers, another key others") {
  const RandomKey key{.seed = 7, .purpose = Purpose::clip, .epoch = 3, .sample = 11};
  Random a(key);
  Random b(key);
  RandomKey other = key;
  other.sample = 12;
  Random c(other);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const auto x = a();
    CHECK(x == b());
    equal += x == c() ? 1 : 0;
  }
  CHECK(equal < 3);
}

TEST_CASE("uniform and normal numbers have their moments") {
  Random random({.seed = 1});
  constexpr int n = 100000;
  double sum = 0;
  double squares = 0;
  double normal_sum = 0;
  double normal_squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    squares += u * u;
    const double g = random.normal();
    normal_sum += g;
    normal_squares += g * g;
  }
  // Five standard errors of each estimate.
  CHECK(std::abs(sum / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  CHECK(std::abs(normal_sum / n) < 5 / std::sqrt(double(n)));
  CHECK(std::abs(normal_squares / n - 1) < 5 * std::sqrt(2.0 / n));
}

TEST_CASE("below stays below and reaches every value") {
  Random random({.seed = 2});
  std::set<Index> seen;
  for (int i = 0; i < 1000; ++i) {
    const Index value = random.below(7);
    REQUIRE(value >= 0);
    REQUIRE(value < 7);
    seen.insert(value);
  }
  CHECK(seen.size() == 7);
}

TEST_CASE("a permutation visits every element once") {
  for (const std::uint64_t n : {1u, 2u, 3u, 10u, 257u, 4096u, 5000u}) {
    const Permutation order({.seed = 5, .purpose = Purpose::shuffle, .epoch = n}, n);
    std::vector<int> visits(n, 0);
    for (std::uint64_t i = 0; i < n; ++i) ++visits[order(i)];
    for (const int count : visits) REQUIRE(count == 1);
  }
}

TEST_CASE("permutations of different epochs differ") {
  const Permutation a({.seed = 5, .purpose = Purpose::shuffle, .epoch = 0}, 1000);
  const Permutation b({.seed = 5, .purpose = Purpose::shuffle, .epoch = 1}, 1000);
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) equal += a(i) == b(i) ? 1 : 0;
  CHECK(equal < 10);
}
