#include "vjepa/data/decoding_device.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/picture_converter.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

constexpr int height = 36;
constexpr int width = 50;

ffmpeg::Picture picture(AVPixelFormat format) {
  ffmpeg::Picture made(av_frame_alloc());
  made->format = format;
  made->height = height;
  made->width = width;
  REQUIRE(av_frame_get_buffer(made.get(), 0) >= 0);
  return made;
}

std::vector<std::uint8_t> converted(const AVFrame& frame) {
  PictureConverter converter;
  converter.convert(frame);
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(3 * height * width));
  converter.copy_to(rgb.data());
  return rgb;
}

}  // namespace

TEST_CASE("what FFmpeg does not know to decode on is refused with what it knows") {
  CHECK_NOTHROW(DecodingDevice("cpu"));
  CHECK_THROWS_WITH(DecodingDevice("tpu:0"), Contains("decoding on 'tpu:0': this FFmpeg has cpu"));
  CHECK_THROWS_WITH(DecodingDevice(""), Contains("choose one of them"));
  CHECK_THROWS_WITH(DecodingDevice("cuda:4096"),
                    Contains("decoding on cuda:4096: FFmpeg cannot use it: ") && Contains("or choose cpu"));
}

TEST_CASE("pictures as hardware gives them become the same RGB as those of the CPU's decoders") {
  // Hardware keeps the two colour planes as one, in pairs.
  const ffmpeg::Picture planar = picture(AV_PIX_FMT_YUV420P);
  const ffmpeg::Picture paired = picture(AV_PIX_FMT_NV12);
  Random random({.seed = 1});
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      planar->data[0][y * planar->linesize[0] + x] = static_cast<std::uint8_t>(random.below(256));
    }
    std::memcpy(paired->data[0] + y * paired->linesize[0], planar->data[0] + y * planar->linesize[0], width);
  }
  for (int y = 0; y < height / 2; ++y) {
    for (int x = 0; x < width / 2; ++x) {
      for (const int plane : {1, 2}) {
        const auto value = static_cast<std::uint8_t>(random.below(256));
        planar->data[plane][y * planar->linesize[plane] + x] = value;
        paired->data[1][y * paired->linesize[1] + 2 * x + plane - 1] = value;
      }
    }
  }
  CHECK(converted(*paired) == converted(*planar));
}

TEST_CASE("a GPU decodes what the CPU does") {
  if (avcodec_find_encoder_by_name("libx264") == nullptr) VJEPA_SKIP("FFmpeg writes no H.264");
  DecodingDevice gpu;
  try {
    gpu = DecodingDevice("cuda:0");
  } catch (const Error& e) {
    VJEPA_SKIP(e.what());
  }
  const TemporaryFolder folder;
  Frames frames(20, 128, 192);
  Random random({.seed = 2});
  for (std::uint8_t& pixel : frames.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  VideoWriter writer(folder.path() / "a.mp4", frames.height, frames.width);
  writer.write(frames);
  writer.finish();
  const std::vector<Index> numbers = {3, 17, 0, 4};
  VideoReader reader(folder.path() / "a.mp4", gpu);
  const Frames decoded = reader.read(numbers);
  if (!reader.on_hardware()) VJEPA_SKIP("FFmpeg or the driver has no NVDEC");
  CHECK(decoded.pixels == VideoReader(folder.path() / "a.mp4").read(numbers).pixels);
}
