#include "vjepa/data/auto_augment.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

namespace {

/// Two equal frames of a slanted ramp in three colours.
Frames ramp() {
  Frames frames(2, 24, 32);
  for (Index i = 0; i < 2; ++i) {
    for (Index y = 0; y < 24; ++y) {
      for (Index x = 0; x < 32; ++x) {
        std::uint8_t* pixel = frames.frame(i) + (y * 32 + x) * 3;
        for (Index c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(40 + 3 * x + 2 * y + 20 * c);
      }
    }
  }
  return frames;
}

}  // namespace

TEST_CASE("AutoAugment treats the frames of a clip alike, and a picture in many ways") {
  const Frames before = ramp();
  std::set<std::vector<std::uint8_t>> seen;
  int changed = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Frames frames = before;
    Random random({.seed = 2, .purpose = Purpose::augment, .sample = i});
    AutoAugment{}(frames, random);
    REQUIRE(std::equal(frames.frame(0), frames.frame(1), frames.frame(1)));
    changed += frames.pixels != before.pixels ? 1 : 0;
    seen.insert(frames.pixels);
  }
  // By the probabilities of the table, 15 of 100 pictures stay as they are.
  CHECK(changed > 225);
  CHECK(changed < 280);
  CHECK(seen.size() > 25);
}

TEST_CASE("AutoAugment is the same for the same random numbers") {
  Frames one = ramp();
  Frames two = ramp();
  Random first({.seed = 5});
  Random second({.seed = 5});
  AutoAugment{}(one, first);
  AutoAugment{}(two, second);
  CHECK(one.pixels == two.pixels);
}
