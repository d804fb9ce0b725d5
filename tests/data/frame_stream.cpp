#include "vjepa/data/frame_stream.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/data/video_writer.hpp"

using namespace vjepa;

namespace {

void write_ramp(const std::filesystem::path& path, Index frames) {
  VideoWriter writer(path, 32, 48, {.fps = 10});
  for (Index i = 0; i < frames; ++i) {
    Frames picture(1, 32, 48);
    for (std::size_t p = 0; p < picture.pixels.size(); ++p) {
      picture.pixels[p] = static_cast<std::uint8_t>(40 + 5 * i + static_cast<Index>(p % 7));
    }
    writer.write(picture);
  }
  writer.finish();
}

/// A port on this machine that takes connections and never sends anything.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_, any, size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    REQUIRE(::getsockname(socket_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  SilentServer(const SilentServer&) = delete;
  ~SilentServer() { ::close(socket_); }
  int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

}  // namespace

TEST_CASE("a stream gives the frames that a reader gives, and their times") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "ramp.mp4";
  write_ramp(path, 30);
  VideoReader reader(path);
  std::vector<Index> all(static_cast<std::size_t>(reader.frame_count()));
  std::iota(all.begin(), all.end(), 0);
  const Frames expected = reader.read(all);

  for (const bool address : {false, true}) {
    FrameStream stream(address ? VideoSource::open(StreamAddress{.address = "file:" + path.string()})
                               : VideoSource::open(path));
    Index count = 0;
    while (const auto frame = stream.next()) {
      REQUIRE(count < expected.count);
      CHECK(std::equal(frame->picture.pixels.begin(), frame->picture.pixels.end(), expected.frame(count)));
      CHECK(frame->seconds == Approx(static_cast<double>(count) / 10));
      CHECK(reader.seconds(count) == Approx(frame->seconds));
      ++count;
    }
    CHECK(count == 30);
  }
}

TEST_CASE("a frame that is not wanted comes without its picture, and those after it as they would") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "ramp.mp4";
  write_ramp(path, 12);
  FrameStream every(VideoSource::open(path));
  FrameStream some(VideoSource::open(path));
  Index number = 0;
  while (const auto expected = every.next()) {
    const bool wanted = number++ % 4 == 1;
    const auto frame = some.next(wanted);
    REQUIRE(frame.has_value());
    CHECK(frame->seconds == expected->seconds);
    CHECK(frame->picture.count == (wanted ? 1 : 0));
    if (wanted) CHECK(frame->picture.pixels == expected->picture.pixels);
  }
  CHECK(number == 12);
  CHECK_FALSE(some.next(false).has_value());
}

TEST_CASE("a stream of another format than FFmpeg knows, or with unknown options, is an error that says so") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "ramp.mp4";
  write_ramp(path, 3);
  CHECK_THROWS_WITH(VideoSource::open(StreamAddress{.address = path.string(), .format = "nonsense"}),
                    Contains("no input format 'nonsense'"));
  CHECK_THROWS_WITH(VideoSource::open(StreamAddress{.address = path.string(), .options = {{"colour", "red"}}}),
                    Contains("no option 'colour'"));
  CHECK_THROWS_WITH(VideoSource::open(StreamAddress{.address = "tcp://127.0.0.1:9", .timeout = 5}),
                    Contains("tcp://127.0.0.1:9: "));
}

TEST_CASE("waiting for a stream ends when nobody wants it any more") {
  const SilentServer server;
  const StreamAddress silent{.address = "tcp://127.0.0.1:" + std::to_string(server.port()), .timeout = 0.2};
  CHECK_THROWS_WITH(VideoSource::open(silent), Contains("did not answer in 0.2 seconds"));
  StreamAddress interrupted = silent;
  interrupted.timeout = 1000;
  interrupted.interrupted = [] { return true; };
  CHECK_THROWS_AS(VideoSource::open(interrupted), VideoError);
}
