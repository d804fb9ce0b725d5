#include "vjepa/data/view_reader.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/data/motion_scene.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

constexpr std::size_t clip = 3 * 4 * 32 * 32;

ViewReader evaluation(Index segments, Index views) {
  return {
      .sampler = {.frames_per_clip = 4, .frame_step = 2, .duration = {}, .num_clips = segments, .allow_overlap = true},
      .transform = EvalTransform{.size = 32, .views = views}};
}

Views read(const ViewReader& reader, const std::filesystem::path& path, std::uint64_t sample = 1) {
  Random when({.seed = 1, .purpose = Purpose::clip, .sample = sample});
  Random augment({.seed = 1, .purpose = Purpose::augment, .sample = sample});
  return reader(path, when, augment);
}

/// A portable grey map of two halves.
void write_picture(const std::filesystem::path& path) {
  std::string pixels = "P6 48 48 255\n";
  for (int i = 0; i < 48 * 48; ++i) pixels += i % 48 < 24 ? std::string("\x10\x20\x30") : std::string("\xf0\xe0\xd0");
  write_bytes(path, pixels);
}

}  // namespace

TEST_CASE("a video is seen in segments, each in its views, and its frames are numbered") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.mp4";
  const MotionScene scene(static_cast<Motion>(0), Random({.seed = 1, .purpose = Purpose::synth, .sample = 0}));
  VideoWriter video(path, 48, 48);
  video.write(scene.render(40, 48));
  video.finish();
  const Views all = read(evaluation(3, 2), path);
  REQUIRE(all.clips.size() == 3 * 2 * clip);
  REQUIRE(all.numbers.size() == 3 * 4);
  CHECK(std::is_sorted(all.numbers.begin(), all.numbers.end()));
  CHECK(all.numbers[4] >= 13);
  const Views again = read(evaluation(3, 2), path);
  CHECK(all.clips == again.clips);
  CHECK(all.numbers == again.numbers);
  CHECK(read(evaluation(1, 1), path, 2).numbers != read(evaluation(1, 1), path, 3).numbers);

  // However many are read at a time, and until no more are wanted.
  for (const Index at_once : {1, 2, 3}) {
    Random when({.seed = 1, .purpose = Purpose::clip, .sample = 1});
    Random augment({.seed = 1, .purpose = Purpose::augment, .sample = 1});
    Views two;
    evaluation(3, 2).each_clip(
        path, when, augment, at_once,
        [&](const std::vector<float>& pixels, const std::vector<Index>& numbers, double seconds) {
          two.clips.insert(two.clips.end(), pixels.begin(), pixels.end());
          two.numbers.insert(two.numbers.end(), numbers.begin(), numbers.end());
          two.seconds.push_back(seconds);
          return two.seconds.size() < 2;
        });
    REQUIRE(two.clips.size() == 2 * 2 * clip);
    CHECK(std::equal(two.clips.begin(), two.clips.end(), all.clips.begin()));
    CHECK(two.numbers == std::vector<Index>(all.numbers.begin(), all.numbers.begin() + 8));
    CHECK(two.seconds == std::vector<double>(all.seconds.begin(), all.seconds.begin() + 2));
  }
}

TEST_CASE("an image is clips of one picture, repeated") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.ppm";
  write_picture(path);
  ViewReader training = evaluation(1, 1);
  ClipTransform augmented;
  augmented.size = 32;
  augmented.erasing = RandomErasing{.probability = 1};
  training.transform = augmented;
  for (const ViewReader& reader : {evaluation(1, 1), training}) {
    const Views views = read(reader, path);
    REQUIRE(views.clips.size() == clip);
    for (std::size_t plane = 0; plane < 12; ++plane) {
      const auto first = views.clips.begin() + static_cast<std::ptrdiff_t>(plane / 4 * 4 * 1024);
      const auto this_one = views.clips.begin() + static_cast<std::ptrdiff_t>(plane * 1024);
      CHECK(std::equal(first, first + 1024, this_one));
    }
  }
  // As many clips as of a video.
  const Views several = read(evaluation(3, 2), path);
  REQUIRE(several.clips.size() == 3 * 2 * clip);
  CHECK(several.numbers == std::vector<Index>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(several.seconds == std::vector<double>{0, 0, 0});
  const auto second = several.clips.begin() + static_cast<std::ptrdiff_t>(2 * clip);
  CHECK(std::equal(second, second + static_cast<std::ptrdiff_t>(2 * clip), several.clips.begin()));
  // The left half is dark, the right one bright.
  const Views views = read(evaluation(1, 1), path);
  CHECK(views.clips[0] == Approx((16 - natural_pixels.mean[0]) / natural_pixels.deviation[0]).margin(1e-5));
  CHECK(views.clips[31] == Approx((240 - natural_pixels.mean[0]) / natural_pixels.deviation[0]).margin(1e-5));
}

TEST_CASE("real pictures are read, whatever their format") {
  silence_ffmpeg();
  const auto pictures = VJEPA_MEDIA("images_gesture/val");
  int read_ones = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(pictures)) {
    if (!is_image_name(entry.path()) || ++read_ones > 20) continue;
    INFO(entry.path());
    CHECK(read(evaluation(1, 1), entry.path()).clips.size() == clip);
  }
  CHECK(read_ones >= 20);
}

TEST_CASE("what is no picture is an error that names the file") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_bytes(folder.path() / "a.png", std::string(3000, 'x'));
  CHECK_THROWS_WITH(read(evaluation(1, 1), folder.path() / "a.png"), Contains("a.png"));
}
