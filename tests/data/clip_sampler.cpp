#include "vjepa/data/clip_sampler.hpp"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("clips read the frames that the official data set reads") {
  const auto path = VJEPA_GOLDEN("clip_indices.json");
  std::ifstream file(path);
  for (const auto& entry : nlohmann::json::parse(file)) {
    ClipSampler sampler{.frames_per_clip = entry.at("frames_per_clip").get<Index>(),
                        .frame_step = entry.at("frame_step").get<Index>(),
                        .duration = {},
                        .num_clips = entry.at("num_clips").get<Index>(),
                        .random_clip = false,
                        .allow_overlap = entry.at("allow_overlap").get<bool>()};
    if (!entry.at("duration").is_null()) sampler.duration = entry.at("duration").get<double>();
    INFO(entry.dump());
    Random random({});
    const auto frames = entry.at("num_frames").get<Index>();
    if (entry.contains("raises")) {
      CHECK_THROWS_AS(sampler(frames, entry.at("fps").get<double>(), random), Error);
    } else {
      CHECK(sampler(frames, entry.at("fps").get<double>(), random) ==
            entry.at("indices").get<std::vector<std::vector<Index>>>());
    }
  }
}

TEST_CASE("a random clip begins anywhere in its part and stays in it") {
  const ClipSampler sampler{.frames_per_clip = 4, .frame_step = 2, .duration = {}, .num_clips = 2};
  Random random({.seed = 1});
  std::set<Index> begins;
  for (int i = 0; i < 500; ++i) {
    const auto clips = sampler(40, 30, random);
    REQUIRE(clips.size() == 2);
    for (Index c = 0; c < 2; ++c) {
      const auto& clip = clips[static_cast<std::size_t>(c)];
      CHECK(clip.front() >= 20 * c);
      CHECK(clip.back() < 20 * (c + 1));
    }
    begins.insert(clips[0].front());
  }
  CHECK(begins.size() == 12);  // 20 - 8
}

TEST_CASE("a duration too short for the frame rate is an error") {
  const ClipSampler sampler{.frames_per_clip = 16, .duration = 0.1};
  CHECK_THROWS_WITH(sampler.span(25), Contains("0.1 seconds"));
}

TEST_CASE("a clip that spans a part of the video lies evenly over it, anywhere") {
  ClipSampler sampler{.frames_per_clip = 8, .part = std::array{0.5, 0.75}, .num_clips = 2};
  Random random({.seed = 1});
  std::set<Index> begins;
  for (int i = 0; i < 300; ++i) {
    for (const auto& clip : sampler(101, 30, random)) {
      REQUIRE(clip.size() == 8);
      CHECK(clip.front() >= 0);
      CHECK(clip.back() <= 100);
      CHECK(clip.back() - clip.front() >= 49);
      CHECK(clip.back() - clip.front() <= 76);
      for (std::size_t k = 1; k < 8; ++k) {
        CHECK(static_cast<double>(clip[k] - clip[k - 1]) ==
              Approx(static_cast<double>(clip.back() - clip.front()) / 7).margin(1));
      }
      begins.insert(clip.front());
    }
  }
  CHECK(*begins.begin() == 0);
  CHECK(*begins.rbegin() > 40);

  sampler.part = {1, 1};
  CHECK(sampler(15, 30, random)[0] == std::vector<Index>{0, 2, 4, 6, 8, 10, 12, 14});
  CHECK(sampler(1, 30, random)[0] == std::vector<Index>(8, 0));
  CHECK(sampler.span(30) == 8);
}

TEST_CASE("clips that span a part of the video lie evenly over it where they are not random") {
  const ClipSampler sampler{.frames_per_clip = 3, .part = std::array{0.5, 0.5}, .num_clips = 3, .random_clip = false};
  Random random({.seed = 1});
  using Numbers = std::vector<Index>;
  CHECK(sampler(41, 30, random) == std::vector<Numbers>{{0, 10, 20}, {10, 20, 30}, {20, 30, 40}});
  ClipSampler single = sampler;
  single.num_clips = 1;
  CHECK(single(41, 30, random) == std::vector<Numbers>{{10, 20, 30}});
}
