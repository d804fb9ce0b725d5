#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include <libavdevice/avdevice.h>
}

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "vjepa/core/error.hpp"
#include "vjepa/data/container.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/ffmpeg.hpp"

namespace vjepa {

/// Where a video comes from that is no file: whatever FFmpeg can open.
struct StreamAddress {
  std::string address;      // "-" (a pipe on standard input), "rtsp://...", "/dev/video0"
  std::string format = {};  // FFmpeg's name of a device or format, such as v4l2; empty: found out
  std::map<std::string, std::string> options = {};  // FFmpeg's, such as rtsp_transport=tcp
  double timeout = 30;  // seconds without data after which the stream counts as broken; 0: never
  std::function<bool()> interrupted = [] { return false; };  // asked while waiting for data
};

/// An open container and the decoder of its best video stream. All errors are VideoErrors.
class VideoSource {
 public:
  /// The most pixels a frame may have; a larger one is an error, not an allocation.
  static constexpr std::int64_t max_pixels = std::int64_t{1} << 26;

  /// Nothing is open.
  VideoSource() = default;
  VideoSource(VideoSource&&) = default;
  VideoSource& operator=(VideoSource other) noexcept {
    std::swap(name_, other.name_);
    std::swap(wait_, other.wait_);
    std::swap(format_, other.format_);
    std::swap(codec_, other.codec_);
    std::swap(stream_, other.stream_);
    return *this;
  }

  static VideoSource open(const std::filesystem::path& path, const DecodingDevice& device = {}) {
    VideoSource source(path.string());
    source.format_ = open_container(path);
    source.open_decoder(device);
    return source;
  }

  /// Waits for the stream's first packets. What the stream itself may open is what FFmpeg allows its protocol.
  static VideoSource open(const StreamAddress& from, const DecodingDevice& device = {}) {
    VideoSource source(from.address == "-" ? "standard input" : from.address);
    avdevice_register_all();
    const AVInputFormat* demuxer = nullptr;
    if (!from.format.empty()) {
      demuxer = av_find_input_format(from.format.c_str());
      if (demuxer == nullptr) source.bad("FFmpeg knows no input format '", from.format, "'");
    }
    std::map<std::string, std::string> options = from.options;
    if (from.address == "-") options.emplace("protocol_whitelist", "pipe");
    source.wait_ = std::make_unique<Wait>(from.timeout, from.interrupted);
    const std::string url = from.address == "-" ? text("pipe:", source.wait_->open_standard_input()) : from.address;
    AVFormatContext* format = avformat_alloc_context();
    format->interrupt_callback = {&Wait::asked, source.wait_.get()};
    try {
      source.format_ = open_container(format, source.name_, url, demuxer, options);
    } catch (const VideoError&) {
      if (source.wait_->timed_out()) source.bad("did not answer in ", from.timeout, " seconds");
      throw;
    }
    source.open_decoder(device);
    return source;
  }

  const std::string& name() const { return name_; }
  AVStream* stream() const { return format_->streams[stream_]; }
  AVFormatContext* format() const { return format_.get(); }
  AVCodecContext* codec() const { return codec_.get(); }

  /// Mean frames a second, 25 where the container says nothing.
  double fps() const {
    const AVRational rate = stream()->avg_frame_rate.num > 0 && stream()->avg_frame_rate.den > 0
                                ? stream()->avg_frame_rate
                                : stream()->r_frame_rate;
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 25.0;
  }

  /// Reads packets until one of the video is there; false at the end. A file that ends too early has ended; a stream
  /// that does, or a file that its disk does not give, is a VideoError.
  bool next_packet(AVPacket& packet) {
    for (;;) {
      av_packet_unref(&packet);
      if (wait_) wait_->begin();
      const int e = av_read_frame(format_.get(), &packet);
      if (e == AVERROR(EAGAIN)) continue;
      if (e < 0 && wait_ && e != AVERROR_EOF && !wait_->interrupted()) {
        if (wait_->timed_out()) bad("sent no data for ", wait_->timeout, " seconds");
        bad("broke off: ", ffmpeg::reason(e));
      }
      if (e < 0 && !wait_) {
        // What a demuxer returns differs: to some, the end is an error, and a failed read the end.
        if (format_->pb->error < 0) bad("cannot be read to its end: ", ffmpeg::reason(format_->pb->error));
        if (e == AVERROR(ENOMEM)) bad("cannot be read to its end: ", ffmpeg::reason(e));
      }
      if (e < 0) return false;
      if (packet.stream_index == stream_ && packet.size > 0) return true;
    }
  }

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    throw VideoError(text(name_, ": ", parts...));
  }

 private:
  /// Ends a wait for data that nobody wants any more.
  struct Wait {
    using Clock = std::chrono::steady_clock;
    double timeout;
    std::function<bool()> interrupted;
    Clock::time_point since = Clock::now();
    int pipe = -1;

    Wait(double seconds, std::function<bool()> stop) : timeout(seconds), interrupted(std::move(stop)) {}
    Wait(const Wait&) = delete;
    ~Wait() {
      if (pipe >= 0) ::close(pipe);
    }

    /// FFmpeg asks whether to go on waiting only where a read returns at once. A pipe does so when it is opened anew,
    /// which leaves the descriptor that other processes share as it is.
    int open_standard_input() {
      struct stat status {};
      if (::fstat(STDIN_FILENO, &status) == 0 && S_ISFIFO(status.st_mode)) {
        pipe = ::open("/dev/stdin", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      }
      return pipe >= 0 ? pipe : STDIN_FILENO;
    }

    void begin() { since = Clock::now(); }
    bool timed_out() const {
      return timeout > 0 && std::chrono::duration<double>(Clock::now() - since).count() > timeout;
    }
    static int asked(void* self) {
      const auto* wait = static_cast<const Wait*>(self);
      return wait->interrupted() || wait->timed_out() ? 1 : 0;
    }
  };

  explicit VideoSource(std::string name) : name_(std::move(name)) {}

  void open_decoder(const DecodingDevice& device) {
    const AVCodec* decoder = nullptr;
    stream_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (stream_ == AVERROR_DECODER_NOT_FOUND) bad("holds video that this FFmpeg has no decoder for");
    if (stream_ < 0 || (stream()->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) bad("holds no video");
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
      if (static_cast<int>(i) != stream_) format_->streams[i]->discard = AVDISCARD_ALL;
    }
    codec_.reset(avcodec_alloc_context3(decoder));
    avcodec_parameters_to_context(codec_.get(), stream()->codecpar);
    codec_->thread_count = 1;  // videos are read in parallel, not frames
    codec_->max_pixels = max_pixels;
    codec_->pkt_timebase = stream()->time_base;
    device.serve(*codec_);
    if (const int e = avcodec_open2(codec_.get(), decoder, nullptr); e < 0) {
      bad("cannot be decoded: ", ffmpeg::reason(e));
    }
  }

  std::string name_;
  std::unique_ptr<Wait> wait_;  // outlives the input, which asks it
  ffmpeg::Input format_;
  ffmpeg::Codec codec_;
  int stream_ = -1;
};

}  // namespace vjepa
