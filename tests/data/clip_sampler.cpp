#include "vjepa/data/clip_sampler.hpp"

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
