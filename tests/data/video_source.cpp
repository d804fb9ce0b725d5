#include "vjepa/data/video_source.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("a disk that fails is an error that names the file, not the end of its video") {
  silence_ffmpeg();
  const TemporaryFolder folder;
  Frames noise(12, 256, 256);
  Random random({.seed = 3});
  for (auto& pixel : noise.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  for (const char* name : {"a.mp4", "b.mkv", "c.avi"}) {
    INFO(name);
    const auto path = folder.path() / name;
    VideoWriter video(path, noise.height, noise.width);
    video.write(noise);
    video.finish();
    const ffmpeg::Packet packet{av_packet_alloc()};

    VideoSource whole = VideoSource::open(path);
    int packets = 0;
    while (whole.next_packet(*packet)) ++packets;
    CHECK(packets == 12);

    VideoSource failing = VideoSource::open(path);
    failing.format()->pb->read_packet = [](void*, std::uint8_t*, int) { return AVERROR(EIO); };
    const auto read_all = [&] {
      while (failing.next_packet(*packet)) {
      }
    };
    CHECK_THROWS_WITH(read_all(), Contains(name) && Contains("cannot be read to its end: Input/output error"));
  }
}
