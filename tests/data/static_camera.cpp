#include "vjepa/data/static_camera.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "vjepa/data/clip_transform.hpp"
#include "vjepa/data/eval_transform.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// A textured wall in front of which a bright square of 10 pixels goes right, one pixel a frame, from (top, left).
Frames scene(Index top, Index left) {
  Frames frames(8, 60, 80);
  for (Index t = 0; t < frames.count; ++t) {
    for (Index y = 0; y < frames.height; ++y) {
      for (Index x = 0; x < frames.width; ++x) {
        const bool inside = y >= top && y < top + 10 && x >= left + t && x < left + t + 10;
        for (Index c = 0; c < 3; ++c) {
          frames.frame(t)[(y * frames.width + x) * 3 + c] =
              static_cast<std::uint8_t>(inside ? 250 : 20 + (7 * x + 13 * y + 29 * c) % 60);
        }
      }
    }
  }
  return frames;
}

bool within(Index first, Index last, Index start, Index length) {
  return start <= first && last < start + length;
}

}  // namespace

TEST_CASE("the moving box holds what moves, with a margin, and stays in the frame") {
  const Box middle = moving_box(scene(20, 30));
  CHECK(middle.height == middle.width);
  CHECK(within(20, 29, middle.top, middle.height));
  CHECK(within(31, 46, middle.left, middle.width));
  CHECK(middle.width >= 20);
  CHECK(middle.width <= 28);
  for (const auto& [top, left] : {std::pair<Index, Index>{0, 0}, {50, 0}, {0, 62}, {50, 62}}) {
    const Box corner = moving_box(scene(top, left));
    CHECK(corner.top >= 0);
    CHECK(corner.left >= 0);
    CHECK(corner.top + corner.height <= 60);
    CHECK(corner.left + corner.width <= 80);
    CHECK(within(top, top + 9, corner.top, corner.height));
  }
}

TEST_CASE("without motion the box is the largest square in the middle") {
  CHECK(moving_box(Frames(4, 60, 80)) == Box{0, 10, 60, 60});
  CHECK(moving_box(Frames(1, 80, 60)) == Box{10, 0, 60, 60});
}

TEST_CASE("a box is cut out of every frame") {
  const Frames all = scene(20, 30);
  const Frames part = cut_out(all, {18, 25, 12, 31});
  REQUIRE(part.count == 8);
  REQUIRE(part.height == 12);
  REQUIRE(part.width == 31);
  for (Index t = 0; t < 8; ++t) {
    for (Index y = 0; y < 12; ++y) {
      for (Index i = 0; i < 31 * 3; ++i) {
        REQUIRE(part.frame(t)[y * 31 * 3 + i] == all.frame(t)[((18 + y) * 80 + 25) * 3 + i]);
      }
    }
  }
}

TEST_CASE("what stands still becomes zero, what moves has deviation one") {
  // Pixel 0 stands still, pixel 1 goes up and down.
  std::vector<float> clip;
  for (int c = 0; c < 3; ++c) {
    for (const float moving : {4.f, 6.f, 4.f, 6.f}) clip.insert(clip.end(), {2.f, moving});
  }
  remove_background(clip.data(), 4, 2);
  // The deviation over still and moving pixels is sqrt(1/2).
  const auto expected = static_cast<float>(1 / (std::sqrt(0.5) + 0.01));
  for (std::size_t i = 0; i < clip.size(); i += 4) {
    CHECK(clip[i] == 0);
    CHECK(clip[i + 1] == Approx(-expected));
    CHECK(clip[i + 2] == 0);
    CHECK(clip[i + 3] == Approx(expected));
  }
  std::vector<float> still(24, 3.5f);
  remove_background(still.data(), 4, 2);
  for (const float v : still) CHECK(v == 0);
}

TEST_CASE("a transform for a static camera shows the same of a scene wherever it plays") {
  constexpr Index size = 16;
  constexpr std::size_t pixels = 3 * 8 * size * size;
  const auto evaluated = [](const Frames& frames) {
    std::vector<float> out(pixels);
    EvalTransform{.size = size, .static_camera = true}(frames, out.data());
    return out;
  };
  const std::vector<float> here = evaluated(scene(20, 30));
  const std::vector<float> there = evaluated(scene(35, 12));
  double along = 0;
  double squares = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    along += here[i] * there[i];
    squares += here[i] * here[i];
  }
  // The wall behind the square differs a little.
  CHECK(along / squares > 0.9);

  Frames frames = scene(20, 30);
  std::vector<float> trained(pixels);
  ClipTransform transform;
  transform.size = size;
  transform.static_camera = true;
  Random random({.seed = 1});
  transform(frames, random, trained.data());
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < size * size; ++i) {
      double sum = 0;
      for (std::size_t t = 0; t < 8; ++t) sum += trained[(c * 8 + t) * size * size + i];
      CHECK(sum == Approx(0).margin(1e-4));
    }
  }
}
