#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/picture_converter.hpp"
#include "vjepa/data/video_source.hpp"

namespace vjepa {

/// The frames of a video one after the other, from a file, a pipe, a camera or an address: for what cannot be sought
/// in, or is read whole. Packets that cannot be decoded make no frame.
class FrameStream {
 public:
  /// One frame in RGB and when it is shown, in seconds since the stream began.
  struct Frame {
    Frames picture;  // of one frame, or none where it was not wanted
    double seconds = 0;
  };

  explicit FrameStream(VideoSource source) : source_(std::move(source)), converter_(*source_.stream()) {}

  double fps() const { return source_.fps(); }

  /// The next frame, nothing at the end. To turn its picture into RGB takes time; none comes unless it is `wanted`.
  /// Throws VideoError when the stream breaks.
  std::optional<Frame> next(bool wanted = true) {
    for (;;) {
      const int received = avcodec_receive_frame(source_.codec(), frame_.get());
      if (received >= 0) return Frame{wanted ? picture() : Frames(), seconds()};
      if (ended_) return std::nullopt;
      ended_ = !source_.next_packet(*packet_);
      avcodec_send_packet(source_.codec(), ended_ ? nullptr : packet_.get());
    }
  }

 private:
  Frames picture() {
    try {
      converter_.convert(*frame_);
    } catch (const Error& e) {
      source_.bad(e.what());
    }
    Frames out(1, converter_.height(), converter_.width());
    converter_.copy_to(out.frame(0));
    return out;
  }

  /// Of the frame that was decoded, which is counted.
  double seconds() {
    const std::int64_t time = frame_->best_effort_timestamp;
    const double seconds = time == AV_NOPTS_VALUE ? static_cast<double>(number_) / fps()
                                                  : static_cast<double>(time) * av_q2d(source_.stream()->time_base);
    if (number_++ == 0) begin_ = seconds;
    return seconds - begin_;
  }

  VideoSource source_;
  PictureConverter converter_;
  ffmpeg::Packet packet_{av_packet_alloc()};
  ffmpeg::Picture frame_{av_frame_alloc()};
  bool ended_ = false;
  std::int64_t number_ = 0;
  double begin_ = 0;
};

}  // namespace vjepa
