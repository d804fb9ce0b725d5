#include "vjepa/data/video_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/video_cache.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

namespace {

constexpr Index height = 32;
constexpr Index width = 128;

/// Frame i holds the number i in binary: eight blocks, white for ones, the lowest bit on the left.
Frames numbered(Index count) {
  Frames frames(count, height, width);
  for (Index i = 0; i < count; ++i) {
    for (Index at = 0; at < height * width; ++at) {
      const bool one = (i >> (at % width / 16) & 1) != 0;
      std::fill_n(frames.frame(i) + at * 3, 3, static_cast<std::uint8_t>(one ? 235 : 16));
    }
  }
  return frames;
}

Index number_in(const Frames& frames, Index frame) {
  Index number = 0;
  for (Index bit = 0; bit < 8; ++bit) {
    const Index at = (frames.height / 2 * frames.width + bit * frames.width / 8 + frames.width / 16) * 3;
    if (frames.frame(frame)[at] > 128) number |= Index{1} << bit;
  }
  return number;
}

std::vector<Index> numbers_in(const Frames& frames) {
  std::vector<Index> numbers;
  for (Index i = 0; i < frames.count; ++i) numbers.push_back(number_in(frames, i));
  return numbers;
}

void write_video(const fs::path& path, const Frames& frames, const VideoWriterOptions& options = {}) {
  VideoWriter video(path, frames.height, frames.width, options);
  video.write(frames);
  video.finish();
}

/// Reads in order, at random with repetitions, and one by one; frame i must show the number shown[i].
void check_reads(const fs::path& path, const std::vector<Index>& shown) {
  INFO(path.filename().string());
  VideoReader reader(path);
  REQUIRE(reader.frame_count() == static_cast<Index>(shown.size()));
  std::vector<Index> all(shown.size());
  std::iota(all.begin(), all.end(), Index{0});
  CHECK(numbers_in(reader.read(all)) == shown);
  Random random({.seed = 9});
  for (int repeat = 0; repeat < 12; ++repeat) {
    std::vector<Index> some;
    std::vector<Index> expected;
    for (Index i = 0; i <= random.below(8); ++i) {
      some.push_back(random.below(reader.frame_count()));
      expected.push_back(shown[static_cast<std::size_t>(some.back())]);
    }
    CHECK(numbers_in(reader.read(some)) == expected);
  }
}

/// Sets the display matrix of an MP4 file to [a b; c d] (ISO 14496-12, 8.3.2: 16.16 fixed point in the box tkhd).
std::string with_matrix(std::string bytes, int a, int b, int c, int d) {
  const std::size_t box = bytes.find("tkhd");
  REQUIRE(box != std::string::npos);
  const auto put = [&](std::size_t entry, int value) {
    const std::uint32_t fixed = static_cast<std::uint32_t>(value) << 16;
    for (std::size_t k = 0; k < 4; ++k) {
      bytes[box + 44 + 4 * entry + k] = static_cast<char>(fixed >> (24 - 8 * k) & 0xff);
    }
  };
  put(0, a);
  put(1, b);
  put(3, c);
  put(4, d);
  return bytes;
}

}  // namespace

TEST_CASE("frames are read by number from a video with B-frames") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  std::vector<Index> shown(97);
  std::iota(shown.begin(), shown.end(), Index{0});
  for (const std::string name : {"a.mp4", "b.mkv", "c.avi", "d.mov"}) {
    write_video(folder.path() / name, numbered(97), {.fps = 30, .key_interval = 15, .b_frames = 3});
    check_reads(folder.path() / name, shown);
  }
  CHECK(VideoReader(folder.path() / "a.mp4").fps() == Approx(30));
}

TEST_CASE("frames are read by number whatever the codec, the groups of pictures and the rate") {
  silence_ffmpeg();
  if (std::system("ffmpeg -version > /dev/null 2>&1") != 0) VJEPA_SKIP("no ffmpeg program to encode with");
  const TemporaryFolder folder;
  const fs::path source = folder.path() / "source.mp4";
  write_video(source, numbered(80), {.fps = 25});
  std::vector<Index> every(80);
  std::iota(every.begin(), every.end(), Index{0});
  std::vector<Index> some;  // of a variable rate: two of three frames, at their own times
  std::copy_if(every.begin(), every.end(), std::back_inserter(some), [](Index i) { return i % 3 != 1; });
  struct Case {
    std::string name;
    std::string arguments;
    const std::vector<Index>* shown;
  };
  const std::vector<Case> cases = {
      {"open_gop.mp4", "-c:v libx264 -bf 3 -g 15 -x264-params open-gop=1:b-pyramid=normal", &every},
      {"open_gop.ts", "-c:v libx264 -bf 3 -g 15 -x264-params open-gop=1", &every},
      {"variable.mp4", "-vf \"select='not(eq(mod(n,3),1))'\" -vsync vfr -c:v libx264 -bf 3 -g 12", &some},
      {"variable.mkv", "-vf \"select='not(eq(mod(n,3),1))'\" -vsync vfr -c:v libx264 -bf 3 -g 12", &some},
      {"packed.avi", "-c:v mpeg4 -bf 2 -g 12 -q:v 2", &every},
      {"mpeg2.mpg", "-c:v mpeg2video -bf 2 -g 12 -q:v 2", &every},
      {"motion_jpeg.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", &every},
      {"vp9.webm", "-c:v libvpx-vp9 -g 20 -b:v 1M -deadline realtime -cpu-used 8", &every},
      {"vp8.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -g 20 -b:v 1M -deadline good -cpu-used 4", &every},
      {"hevc.mp4", "-c:v libx265 -preset ultrafast -bf 3 -g 15 -x265-params log-level=none:open-gop=1", &every},
      {"late.mp4", "-c:v libx264 -bf 3 -output_ts_offset 7.3", &every},
      {"pictures.gif", "", &every},
  };
  int made = 0;
  for (const Case& c : cases) {
    const fs::path path = folder.path() / c.name;
    const std::string command =
        text("ffmpeg -v quiet -y -i '", source.string(), "' ", c.arguments, " '", path.string(), "' > /dev/null 2>&1");
    // An FFmpeg without this encoder leaves the case out, but one without any is no test.
    if (std::system(command.c_str()) != 0) {
      std::cout << "left out, this FFmpeg cannot make it: " << c.name << std::endl;
      continue;
    }
    ++made;
    check_reads(path, *c.shown);
  }
  CHECK(made > 4);
}

TEST_CASE("frames are turned as the file says") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_video(folder.path() / "upright.mp4", numbered(5));
  const std::string bytes = bytes_of(folder.path() / "upright.mp4");
  const std::array<Index, 1> last = {4};
  const Frames upright = VideoReader(folder.path() / "upright.mp4").read(last);
  // x' = a x + c y, y' = b x + d y, brought back into the picture.
  struct Turn {
    int a, b, c, d;
  };
  for (const Turn turn :
       {Turn{0, 1, -1, 0}, Turn{-1, 0, 0, -1}, Turn{0, -1, 1, 0}, Turn{-1, 0, 0, 1}, Turn{1, 0, 0, -1}}) {
    INFO(turn.a << " " << turn.b << " " << turn.c << " " << turn.d);
    write_bytes(folder.path() / "turned.mp4", with_matrix(bytes, turn.a, turn.b, turn.c, turn.d));
    const Frames turned = VideoReader(folder.path() / "turned.mp4").read(last);
    const bool swapped = turn.a == 0;
    REQUIRE(turned.height == (swapped ? width : height));
    REQUIRE(turned.width == (swapped ? height : width));
    const Index right = turn.a + turn.c < 0 ? turned.width - 1 : 0;
    const Index bottom = turn.b + turn.d < 0 ? turned.height - 1 : 0;
    bool equal = true;
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) {
        const Index to_x = turn.a * x + turn.c * y + right;
        const Index to_y = turn.b * x + turn.d * y + bottom;
        const std::uint8_t* from = upright.frame(0) + (y * width + x) * 3;
        equal = equal && std::equal(from, from + 3, turned.frame(0) + (to_y * turned.width + to_x) * 3);
      }
    }
    CHECK(equal);
  }
}

TEST_CASE("a video whose pictures change their size gives a frame in one size, whatever was read before") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  write_video(folder.path() / "small.ts", numbered(40));
  write_video(folder.path() / "large.ts", Frames(40, 2 * height, 3 * width));
  const fs::path path = folder.path() / "both.ts";
  write_bytes(path, bytes_of(folder.path() / "small.ts") + bytes_of(folder.path() / "large.ts"));
  const std::array<Index, 1> late = {60};
  VideoReader reader(path);
  const Frames before = reader.read(late);
  CHECK(before.height == height);
  CHECK(before.width == width);
  CHECK(number_in(reader.read(std::array<Index, 1>{39}), 0) == 39);
  VideoReader whole(path);
  const DecodedVideo decoded(whole);
  std::vector<Frames> after;
  decoded.read({{60}}, after);
  CHECK(after.front().height == height);
  CHECK((after.front().pixels == before.pixels));
}

TEST_CASE("what is no video, or not whole, is an error that says why") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  const fs::path whole = folder.path() / "whole.mp4";
  write_video(whole, numbered(60));
  const std::string bytes = bytes_of(whole);
  const auto refused = [&](const std::string& name, const std::string& content, const std::string& message) {
    INFO(name);
    write_bytes(folder.path() / name, content);
    CHECK_THROWS_WITH(VideoReader(folder.path() / name), Contains(name) && Contains(message));
  };
  CHECK_THROWS_WITH(VideoReader(folder.path() / "none.mp4"), Contains("none.mp4: no such file"));
  CHECK_THROWS_WITH(VideoReader(folder.path()), Contains("no such file"));
  refused("zero.mp4", "", "is empty");
  refused("text.mp4", std::string(3000, 'a'), "is no video that FFmpeg knows");
  refused("truncated.mp4", bytes.substr(0, bytes.size() / 2), "is no video that FFmpeg knows");
  // A playlist may not lead the reader to other files.
  refused("list.m3u8", text("#EXTM3U\n#EXTINF:1,\n", whole.string(), "\n#EXT-X-ENDLIST\n"), "is no video");
  VideoReader reader(whole);
  const std::array<Index, 2> beyond = {3, 60};
  CHECK_THROWS_WITH(reader.read(beyond), Contains("has 60 frames; there is no frame 60"));
}

TEST_CASE("more pixels than memory holds are an error that names the file") {
#ifdef VJEPA_SANITIZED
  VJEPA_SKIP("a sanitizer ends the program where memory does not suffice");
#else
  silence_ffmpeg();
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "large.pbm";
  write_bytes(path, "P4 4000 4000\n" + std::string(4000 * 500, '\xaa'));
  VideoReader reader(path);
  // 144 TB, more than addresses reach.
  const std::vector<Index> again(3'000'000, 0);
  CHECK_THROWS_WITH(reader.read(again), Contains("large.pbm: has frames of 4000x4000; memory does not hold"));
#endif
}

TEST_CASE("a file of sound alone is an error that says so") {
  silence_ffmpeg();
  const fs::path sound = VJEPA_MEDIA("edge/torchcodec/nasa_13013.mp4.audio.mp3");
  CHECK_THROWS_WITH(VideoReader(sound), Contains("holds no video"));
}

TEST_CASE("awkward files give the same frames one by one as together, or an error") {
  silence_ffmpeg();
  const fs::path media = VJEPA_MEDIA("edge");
  int read = 0;
  int refused = 0;
  for (const auto& entry : fs::recursive_directory_iterator(media)) {
    if (!entry.is_regular_file()) continue;
    INFO(entry.path().string());
    try {
      VideoReader reader(entry.path());
      const Index last = reader.frame_count() - 1;
      const std::vector<Index> several = {0, last / 3, last / 2, last};
      const Frames together = reader.read(several);
      for (Index i = 3; i >= 0; --i) {
        const std::array<Index, 1> one = {several[static_cast<std::size_t>(i)]};
        const Frames alone = reader.read(one);
        CHECK(std::equal(alone.pixels.begin(), alone.pixels.end(), together.frame(i)));
      }
      ++read;
    } catch (const VideoError& e) {
      CHECK_THAT(e.what(), Contains(entry.path().filename().string()));
      ++refused;
    }
  }
  CHECK(read >= 50);
  CHECK(refused >= 10);
}
