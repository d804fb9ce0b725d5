#include "vjepa/data/loader.hpp"

#include <algorithm>
#include <cstddef>
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

TEST_CASE("clips cut out are those that are resized") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_videos(folder.path());
  VideoList list;
  list.add(folder.path());
  LoaderOptions options = small(2);
  options.transform.erasing.reset();
  options.transform.augment = RandomAugment{};
  options.transform.motion_shift = true;
  Loader whole(list, options, 0);
  options.cut_only = true;
  Loader cut(list, options, 0);
  LoaderOptions erasing = options;
  erasing.transform.erasing = RandomErasing{};
  CHECK_THROWS_WITH(Loader(list, erasing, 0), Contains("cannot have static_camera or erasing"));
  const Index size = options.transform.size;
  bool mirrored = false;
  for (int batch = 0; batch < 3; ++batch) {
    const std::vector<float>& expected = whole.next().clips;
    const ClipBatch& got = cut.next();
    CHECK(got.clips.empty());
    REQUIRE(got.cut.size() == 6);
    std::vector<float> resized(expected.size());
    float* out = resized.data();
    for (const auto& [frames, flip] : got.cut) {
      for (Index t = 0; t < frames.count; ++t) {
        crop_resized(frames.frame(t), frames.width, {0, 0, frames.height, frames.width}, size, flip,
                     out + t * size * size, frames.count * size * size);
      }
      out += 3 * frames.count * size * size;
      mirrored = mirrored || flip;
    }
    CHECK(resized == expected);
  }
  CHECK(mirrored);
}

TEST_CASE("videos kept decoded give the same batches, and are not read again") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_videos(folder.path());
  VideoList list;
  list.add(folder.path());
  const auto expected = batches(list, 1, 0, 6);
  const std::size_t of_video = 20 * 48 * 48 * 3;
  for (const std::size_t videos : {std::size_t{3}, std::size_t{8}}) {
    for (const int workers : {1, 4}) {
      LoaderOptions options = small(workers);
      options.cache_bytes = videos * of_video;
      Loader loader(list, options, 0);
      for (const auto& batch : expected) CHECK(loader.next().clips == batch);
    }
  }
  // The first 24 samples are the eight videos three times.
  const auto later = batches(list, 1, 0, 12);
  LoaderOptions options = small(1);
  options.cache_bytes = 8 * of_video;
  Loader loader(list, options, 0);
  for (std::size_t i = 0; i < 8; ++i) CHECK(loader.next().clips == later[i]);
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) write_bytes(file.path(), "");
  for (std::size_t i = 8; i < 12; ++i) {
    const ClipBatch& batch = loader.next();
    CHECK(batch.clips == later[i]);
    CHECK(batch.skipped == 0);
  }
}

TEST_CASE("a cache keeps what fits, and no video with a damaged frame") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_videos(folder.path());
  VideoReader whole(folder.path() / "3.mp4");
  CHECK(whole.bytes() == 20 * 48 * 48 * 3);
  VideoCache cache(whole.bytes());

  std::string bytes = bytes_of(folder.path() / "5.mp4");
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() * 2 / 5),
            bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), '\0');
  write_bytes(folder.path() / "5.mp4", bytes);
  VideoReader damaged(folder.path() / "5.mp4");
  REQUIRE_THROWS_AS(DecodedVideo(damaged), VideoError);
  CHECK(!cache.keep(5, damaged));
  CHECK(!cache.keep(5, damaged));
  CHECK(damaged.read(std::vector<Index>{0}).count == 1);

  const auto kept = cache.keep(3, whole);
  REQUIRE(kept);
  CHECK(kept == cache.find(3));
  CHECK(kept->frame_count() == 20);
  VideoReader other(folder.path() / "4.mp4");
  CHECK(!cache.keep(4, other));
  CHECK(!cache.find(4));
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
      const ClipBatch& batch = loader.next([&](const std::string& complaint) {
        ++told;
        complaints += complaint + "\n";
      });
      skipped += batch.skipped;
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
  std::string complaints;
  CHECK_THROWS_WITH(loader.next([&](const std::string& complaint) { complaints += complaint + "\n"; }),
                    Contains("none of the 2 videos can be used"));
  // Each was told of before all had been tried.
  CHECK_THAT(complaints, Contains("a.mp4: is no video") && Contains("b.mp4: has 0 bytes"));
}

TEST_CASE("a clip of fewer frames than it is to have names the video") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_videos(folder.path());
  VideoList list;
  list.add(folder.path());
  for (const bool filter : {false, true}) {
    LoaderOptions options = small(1);
    options.sampler.duration = 0.1;
    options.filter_short_videos = filter;
    Loader loader(list, options, 0);
    CHECK_THROWS_WITH(loader.next(), Contains(".mp4: a clip of 0.1 seconds has fewer than 4 frames"));
  }
}
