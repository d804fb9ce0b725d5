#include "vjepa/data/video_writer.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/motion_scene.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

TEST_CASE("the same frames give the same bytes") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  const MotionScene scene(Motion::left, Random({.seed = 1, .purpose = Purpose::synth}));
  // 32 pixels and 40 times: where bytes ever differed, it was in small frames and about every third time.
  const Frames frames = scene.render(20, 32);
  std::set<std::string> different;
  for (int i = 0; i < 40; ++i) {
    VideoWriter video(folder.path() / "a.mp4", 32, 32);
    video.write(frames);
    video.finish();
    different.insert(bytes_of(folder.path() / "a.mp4"));
  }
  CHECK(different.size() == 1);
  CHECK(different.begin()->size() > 1000);
}

TEST_CASE("a video that is not finished leaves what was there") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.mp4";
  std::ofstream(path) << "before";
  {
    VideoWriter video(path, 64, 64);
    video.write(Frames(10, 64, 64));
  }
  CHECK(bytes_of(path) == "before");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a video that cannot be written is an error that says why") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(VideoWriter(folder.path() / "a.mp4", 63, 64), Contains("64x63; width and height must be even"));
  CHECK_THROWS_WITH(VideoWriter(folder.path() / "a.what", 64, 64), Contains("names no video format"));
  CHECK_THROWS_WITH(VideoWriter(folder.path() / "none/a.mp4", 64, 64), Contains("cannot write here"));
  VideoWriter video(folder.path() / "a.mp4", 64, 64);
  CHECK_THROWS_WITH(video.write(Frames(1, 32, 64)), Contains("frames of 64x64; one of 64x32 does not fit"));
}
