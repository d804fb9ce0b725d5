#include "vjepa/data/loader.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/data/motion_scene.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

LoaderOptions small(int workers) {
  LoaderOptions o;
  o.batch_size = 3;
  o.workers = workers;
  o.seed = 5;
  o.sampler = {.frames_per_clip = 4, .frame_step = 2, .duration = {}, .num_clips = 2};
  o.transform.size = 32;
  o.transform.erasing = RandomErasing{};
  return o;
}

std::vector<std::vector<float>> batches(const VideoList& list, int workers, std::int64_t first, int count) {
  Loader loader(list, small(workers), first);
  std::vector<std::vector<float>> all;
  for (int i = 0; i < count; ++i) all.push_back(loader.next().clips);
  return all;
}

/// Eight short videos of one size.
void write_videos(const std::filesystem::path& folder) {
  for (std::uint64_t i = 0; i < 8; ++i) {
    const MotionScene scene(static_cast<Motion>(i), Random({.seed = 1, .purpose = Purpose::synth, .sample = i}));
    VideoWriter video(folder / text(i, ".mp4"), 48, 48);
    video.write(scene.render(20, 48));
    video.finish();
  }
}

}  // namespace

TEST_CASE("batches do not depend on the number of workers, nor on where reading begins") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_videos(folder.path());
  VideoList list;
  list.add(folder.path());
  const auto one = batches(list, 1, 0, 6);
  CHECK(one == batches(list, 2, 0, 6));
  CHECK(one == batches(list, 4, 0, 6));
  CHECK(std::vector(one.begin() + 2, one.end()) == batches(list, 4, 2, 4));
}

TEST_CASE("videos that cannot be used are replaced, named once and counted") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_bytes(folder.path() / "zero.mp4", "");
  write_bytes(folder.path() / "text.mp4", std::string(5000, 'x'));
  VideoWriter whole(folder.path() / "whole.mp4", 48, 48);
  whole.write(Frames(20, 48, 48));
  whole.finish();
  VideoList list;
  list.add(folder.path());
  std::vector<std::vector<float>> clips[2];
  for (const int workers : {1, 4}) {
    Loader loader(list, small(workers), 0);
    std::int64_t skipped = 0;
    std::string complaints;
    std::size_t told = 0;
    for (int i = 0; i < 4; ++i) {
      const ClipBatch& batch = loader.next();
      skipped += batch.skipped;
      told += batch.complaints.size();
      for (const auto& c : batch.complaints) complaints += c + "\n";
      clips[workers / 4].push_back(batch.clips);
    }
    CHECK(told == 2);
    CHECK(skipped >= 8);  // of 12 samples, 4 of each video, one in three is good
    CHECK_THAT(complaints, Contains("zero.mp4: has 0 bytes"));
    CHECK_THAT(complaints, Contains("text.mp4: is no video"));
  }
  CHECK(clips[0] == clips[1]);
}

TEST_CASE("a list without a video that can be used is an error") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_bytes(folder.path() / "a.mp4", std::string(5000, 'x'));
  write_bytes(folder.path() / "b.mp4", "");
  VideoList list;
  list.add(folder.path());
  Loader loader(list, small(2), 0);
  CHECK_THROWS_WITH(loader.next(), Contains("none of the 2 videos can be used"));
}
