#include "vjepa/data/sliding_window.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "catch.hpp"
#include "vjepa/data/crop.hpp"

using namespace vjepa;

namespace {

/// A frame whose every pixel is its number.
FrameStream::Frame numbered(Index number) {
  FrameStream::Frame frame;
  frame.picture = Frames(1, 8, 8);
  for (auto& pixel : frame.picture.pixels) pixel = static_cast<std::uint8_t>(number);
  frame.seconds = static_cast<double>(number) / 10;
  return frame;
}

const EvalTransform transform{.size = 4};

/// The numbers of the frames that a clip of 4x4 pixels is made of, read from its first channel.
std::vector<Index> frames_of(const TimedClip& clip, Index window) {
  std::vector<Index> numbers;
  for (Index t = 0; t < window; ++t) {
    const float pixel =
        clip.pixels[static_cast<std::size_t>(t * 16)] * natural_pixels.deviation[0] + natural_pixels.mean[0];
    numbers.push_back(static_cast<Index>(pixel + 0.5f));
  }
  return numbers;
}

}  // namespace

TEST_CASE("windows that overlap, touch or leave gaps hold the frames they should") {
  struct Case {
    Index window, stride, every;
  };
  for (const Case& c : {Case{4, 2, 3}, Case{3, 1, 3}, Case{2, 3, 10}, Case{1, 1, 1}, Case{3, 4, 2}}) {
    SlidingWindow window(c.window, c.stride, c.every, transform);
    Index start = 0;
    for (Index n = 0; n < 60; ++n) {
      // Those that no clip has come without a picture.
      const auto clip =
          window.push(window.wants_next() ? numbered(n) : FrameStream::Frame{.picture = {}, .seconds = 0});
      const bool complete = n == start + (c.window - 1) * c.stride;
      REQUIRE(clip.has_value() == complete);
      if (!complete) continue;
      std::vector<Index> expected;
      for (Index i = 0; i < c.window; ++i) expected.push_back(start + i * c.stride);
      CHECK(frames_of(*clip, c.window) == expected);
      CHECK(clip->first == start);
      CHECK(clip->last == n);
      CHECK(clip->seconds == Approx(static_cast<double>(start) / 10));
      start += c.every;
    }
    CHECK(start > 0);
    CHECK_FALSE(window.finish().has_value());
  }
}

TEST_CASE("of frames that clips skip, none is wanted") {
  SlidingWindow window(2, 4, 10, transform);
  std::vector<Index> wanted;
  for (Index n = 0; n < 20; ++n) {
    if (window.wants_next()) wanted.push_back(n);
    window.push(numbered(n));
  }
  CHECK(wanted == std::vector<Index>{0, 4, 10, 14});
}

TEST_CASE("a video too short for a window gives one clip that repeats its last frame") {
  SlidingWindow window(4, 2, 8, transform);
  for (Index n = 0; n < 5; ++n) CHECK_FALSE(window.push(numbered(n)).has_value());
  const auto clip = window.finish();
  REQUIRE(clip.has_value());
  CHECK(frames_of(*clip, 4) == std::vector<Index>{0, 2, 4, 4});
  CHECK(clip->last == 4);
  CHECK_FALSE(SlidingWindow(4, 2, 8, transform).finish().has_value());
}

TEST_CASE("a window of no frames is refused") {
  CHECK_THROWS_WITH(SlidingWindow(0, 1, 1, transform), Contains("must be above 0"));
  CHECK_THROWS_WITH(SlidingWindow(4, 1, 1, EvalTransform{.size = 4, .views = 3}), Contains("the transform gives 3"));
}

TEST_CASE("windows of a static camera are transformed as whole clips") {
  const EvalTransform still{.size = 4, .views = 1, .static_camera = true};
  SlidingWindow window(3, 2, 1, still);
  const Index rows = 10;
  const Index columns = 14;
  // A bright spot wanders over a gradient.
  const auto picture = [&](Index number) {
    Frames frame(1, rows, columns);
    for (std::size_t i = 0; i < frame.pixels.size(); ++i) frame.pixels[i] = static_cast<std::uint8_t>(i);
    frame.frame(0)[3 * (2 * columns + number)] = 255;
    return frame;
  };
  Index clips = 0;
  for (Index n = 0; n < 9; ++n) {
    const auto clip = window.push({.picture = picture(n), .seconds = 0});
    if (!clip) continue;
    Frames together(3, rows, columns);
    for (Index t = 0; t < 3; ++t) {
      const Frames frame = picture(clip->first + 2 * t);
      std::copy(frame.pixels.begin(), frame.pixels.end(), together.frame(t));
    }
    std::vector<float> expected(clip->pixels.size());
    still(together, expected.data());
    CHECK(clip->pixels == expected);
    ++clips;
  }
  CHECK(clips == 5);

  SlidingWindow changing(2, 1, 1, still);
  changing.push({.picture = Frames(1, 8, 8), .seconds = 0});
  CHECK_THROWS_WITH(changing.push({.picture = Frames(1, 8, 10), .seconds = 0}), Contains("8x8 and 10x8 pixels"));
}
