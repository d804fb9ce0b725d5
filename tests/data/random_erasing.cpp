#include "vjepa/data/random_erasing.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("random erasing fills one box of every frame with standard normal noise") {
  constexpr Index frames = 3;
  constexpr Index height = 40;
  constexpr Index width = 50;
  const RandomErasing erasing{.probability = 1};
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (std::uint64_t sample = 0; sample < 50; ++sample) {
    std::vector<float> clip(3 * frames * height * width, 100.0f);
    Random random({.seed = 1, .purpose = Purpose::augment, .sample = sample});
    erasing(clip.data(), frames, height, width, random);
    const auto erased = [&](Index plane, Index at) {
      return clip[static_cast<std::size_t>(plane * height * width + at)] != 100.0f;
    };
    Index top = height, bottom = -1, left = width, right = -1, pixels = 0;
    for (Index at = 0; at < height * width; ++at) {
      for (Index plane = 1; plane < 3 * frames; ++plane) REQUIRE(erased(plane, at) == erased(0, at));
      if (!erased(0, at)) continue;
      top = std::min(top, at / width);
      bottom = std::max(bottom, at / width);
      left = std::min(left, at % width);
      right = std::max(right, at % width);
      ++pixels;
    }
    REQUIRE(pixels == (bottom - top + 1) * (right - left + 1));
    const double part = static_cast<double>(pixels) / (height * width);
    CHECK(part > 0.015);  // 0.02 and a third, rounded to pixels
    CHECK(part < 0.36);
    for (const float v : clip) {
      if (v == 100.0f) continue;
      sum += v;
      squares += v * v;
      ++count;
    }
  }
  CHECK(sum / count == Approx(0).margin(0.01));
  CHECK(squares / count == Approx(1).margin(0.01));
}

TEST_CASE("random erasing leaves as many clips alone as its probability says") {
  int erased = 0;
  for (std::uint64_t sample = 0; sample < 400; ++sample) {
    std::vector<float> clip(3 * 32 * 32, 100.0f);
    Random random({.seed = 1, .purpose = Purpose::augment, .sample = sample});
    RandomErasing{}(clip.data(), 1, 32, 32, random);
    erased += std::any_of(clip.begin(), clip.end(), [](float v) { return v != 100.0f; });
  }
  CHECK(erased > 60);  // 100 expected, deviation 9
  CHECK(erased < 140);
}
