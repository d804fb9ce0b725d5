#include "vjepa/data/motion_scene.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "catch.hpp"

using namespace vjepa;

namespace {

MotionScene scene(Motion motion, std::uint64_t sample) {
  return {motion, Random({.seed = 4, .purpose = Purpose::synth, .sample = sample})};
}

/// Mean difference of two pictures of `size` pixels a side, the second moved by (dy, dx) over joined borders.
double difference(const Frames& a, Index i, const Frames& b, Index j, Index dy, Index dx) {
  const Index size = a.height;
  double sum = 0;
  for (Index y = 0; y < size; ++y) {
    for (Index x = 0; x < size; ++x) {
      const Index from = ((y + dy + size) % size * size + (x + dx + size) % size) * 3;
      for (Index c = 0; c < 3; ++c) {
        sum += std::abs(int{a.frame(i)[(y * size + x) * 3 + c]} - int{b.frame(j)[from + c]});
      }
    }
  }
  return sum / static_cast<double>(size * size * 3);
}

}  // namespace

TEST_CASE("the middle of a clip looks alike whatever moves") {
  for (std::uint64_t sample = 0; sample < 4; ++sample) {
    const Frames reference = scene(Motion::left, sample).render(1, 64);
    for (std::size_t motion = 1; motion < motion_names.size(); ++motion) {
      CHECK(scene(static_cast<Motion>(motion), sample).render(1, 64).pixels == reference.pixels);
    }
  }
}

TEST_CASE("the opposite motion is the same clip backwards, up to the grain") {
  for (const Motion motion : {Motion::left, Motion::up, Motion::grow, Motion::clockwise}) {
    const auto opposite = static_cast<Motion>(static_cast<int>(motion) + 1);
    const Frames forward = scene(motion, 2).render(24, 64);
    const Frames backward = scene(opposite, 2).render(24, 64);
    double moved = 0;
    for (Index t = 0; t < 24; ++t) {
      CHECK(difference(forward, t, backward, 23 - t, 0, 0) < 5);  // the grain of two pictures: 4 on average
      moved = std::max(moved, difference(forward, 0, forward, t, 0, 0));
    }
    CHECK(moved > 6);
  }
}

TEST_CASE("a clip does not depend on what else is drawn") {
  const MotionScene one = scene(Motion::grow, 7);
  const Frames first = one.render(10, 32);
  CHECK(one.render(10, 32).pixels == first.pixels);
  CHECK(scene(Motion::grow, 7).render(10, 32).pixels == first.pixels);
  CHECK(scene(Motion::grow, 8).render(10, 32).pixels != first.pixels);
}
