#include "vjepa/train/probe_views.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

ProbeConfig three_clips() {
  ProbeConfig config;
  config.data.frames_per_clip = 3;
  config.data.num_segments = 3;
  config.data.num_views_per_segment = 2;
  config.data.resolution = 32;
  config.data.static_camera = true;
  return config;
}

}  // namespace

TEST_CASE("clips of a part of the video lie evenly over it in views that do not change") {
  ProbeConfig config = three_clips();
  config.data.clip_part = {0.5, 0.5};
  const ViewReader fixed = fixed_view_reader(config, validation_views(config));
  using Numbers = std::vector<Index>;
  for (const std::uint64_t seed : {1, 2}) {
    Random random({.seed = seed});
    CHECK(fixed.sampler(41, 30, random) == std::vector<Numbers>{{0, 10, 20}, {10, 20, 30}, {20, 30, 40}});
  }
  CHECK(training_view_reader(config).sampler.random_clip);
  // Where bounds differ, lengths are drawn, and places are not.
  config.data.clip_part = {0.4, 0.8};
  Random random({.seed = 1});
  const auto clips = fixed_view_reader(config, validation_views(config)).sampler(41, 30, random);
  CHECK(clips.front().front() == 0);
  CHECK(clips.back().back() == 40);
  CHECK(clips.front().back() - clips.front().front() >= 16);
}

TEST_CASE("other clips begin anywhere in their part of the video, as in the official evaluation") {
  const ProbeConfig config = three_clips();
  const ViewReader fixed = fixed_view_reader(config, validation_views(config));
  CHECK(fixed.sampler.random_clip);
  CHECK(fixed.sampler.num_clips == 3);
  CHECK(fixed.views() == 2);
  CHECK(fixed.size() == 32);
  CHECK(fixed.static_camera());
}

TEST_CASE("training sees one clip, or all of them where the classifier attends across segments") {
  ProbeConfig config = three_clips();
  CHECK(training_view_reader(config).sampler.num_clips == 1);
  config.optimization.attend_across_segments = true;
  CHECK(training_view_reader(config).sampler.num_clips == 3);
  CHECK(training_view_reader(config).views() == 1);
}
