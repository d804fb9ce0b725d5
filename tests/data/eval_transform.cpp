#include "vjepa/data/eval_transform.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"

using namespace vjepa;

TEST_CASE("a part of resized frames is that part of all of them") {
  Frames frames(2, 37, 61);
  Random random({.seed = 4});
  for (auto& pixel : frames.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  const Frames whole = resized(frames, 50, 90, {0, 0, 50, 90});
  const Box box{7, 31, 29, 44};
  const Frames part = resized(frames, 50, 90, box);
  REQUIRE(part.height == box.height);
  REQUIRE(part.width == box.width);
  for (Index t = 0; t < 2; ++t) {
    std::vector<std::uint8_t> expected(static_cast<std::size_t>(part.frame_size()));
    copy_box(whole, t, box, expected.data());
    CHECK(std::equal(expected.begin(), expected.end(), part.frame(t)));
  }
}

TEST_CASE("a strip of any length is seen without making all of it") {
  // Resized as a whole, two frames would have 157 TB.
  Frames frames(2, 1, 4'000'000);
  std::fill(frames.pixels.begin(), frames.pixels.end(), std::uint8_t{90});
  const EvalTransform transform{.size = 2240};
  std::vector<float> out(2 * 3 * 2240 * 2240);
  transform(frames, out.data());
  for (const std::size_t at : {std::size_t{0}, out.size() / 3 - 1}) {
    CHECK(out[at] == Approx((90 - natural_pixels.mean[0]) / natural_pixels.deviation[0]).margin(1e-4));
  }
}

TEST_CASE("views along a strip are the same whether they overlap or not") {
  Frames frames(1, 16, 64);
  Random random({.seed = 5});
  for (auto& pixel : frames.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  const auto seen = [&](Index views) {
    std::vector<float> out(static_cast<std::size_t>(views * 3 * 16 * 16));
    EvalTransform{.size = 16, .views = views}(frames, out.data());
    return out;
  };
  const std::vector<float> two = seen(2);  // apart
  const std::vector<float> four = seen(4);
  const std::ptrdiff_t one = 3 * 16 * 16;
  CHECK(std::equal(two.begin(), two.begin() + one, four.begin()));
  CHECK(std::equal(two.end() - one, two.end(), four.end() - one));
}
