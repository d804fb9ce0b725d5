#pragma once

extern "C" {
#include <libavutil/display.h>
}

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

/// A video that cannot be read: no file, no video in it, or frames that cannot be decoded. The message begins with the
/// path.
class VideoError : public Error {
  using Error::Error;
};

/// Reads frames of a video by their number in the order of display, whatever the container and codec: any that FFmpeg
/// knows. Frames come out as they are meant to be seen, turned as the file says, in RGB of the file's own colour matrix
/// and range (HDR is not tone-mapped; pixels that are not square stay so).
///
/// The packets are listed once, without decoding; a frame is known by its time stamp, so that variable rates, B-frames
/// and open groups of pictures are exact, and decoding begins at the last key frame that is shown no later. A file
/// whose time stamps do not tell frames apart is decoded from its beginning and counted.
///
/// A file is data: it cannot make the reader open another file or address.
class VideoReader {
 public:
  /// The most pixels a frame may have; a larger one is an error, not an allocation.
  static constexpr std::int64_t max_pixels = std::int64_t{1} << 26;

  /// Throws VideoError when there is no video to read.
  explicit VideoReader(std::filesystem::path path) : path_(std::move(path)) {
    open();
    list_packets();
    if (counted_) count_frames();
    if (shown_.empty() && !counted_) bad("holds no frames of video");
  }

  /// Number of frames.
  Index frame_count() const { return counted_ ? frames_counted_ : static_cast<Index>(shown_.size()); }
  /// Mean frames a second.
  double fps() const { return fps_; }
  const std::filesystem::path& path() const { return path_; }

  /// The frames of these numbers, in the order asked; numbers may repeat. Throws VideoError when one does not exist or
  /// cannot be decoded.
  Frames read(std::span<const Index> indices) {
    for (const Index i : indices) {
      if (i < 0 || i >= frame_count()) bad("has ", frame_count(), " frames; there is no frame ", i);
    }
    std::set<Index> wanted(indices.begin(), indices.end());
    pictures_.clear();
    if (counted_) {
      rewind();
      decode_counted(wanted);
    } else {
      decode_wanted(wanted);
    }
    if (!wanted.empty()) bad("frame ", *wanted.begin(), " of ", frame_count(), " cannot be decoded");
    Frames frames(static_cast<Index>(indices.size()), height_, width_);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto& picture = pictures_.at(indices[i]);
      std::copy(picture.begin(), picture.end(), frames.frame(static_cast<Index>(i)));
    }
    pictures_.clear();
    return frames;
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    throw VideoError(text(path_.string(), ": ", parts...));
  }

  void open() {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path_, ignored)) bad("no such file");
    if (std::filesystem::file_size(path_, ignored) == 0) bad("is empty");
    codec_.reset();
    format_.reset();
    AVIOContext* io = nullptr;
    if (const int e = avio_open(&io, ("file:" + path_.string()).c_str(), AVIO_FLAG_READ); e < 0) {
      bad("cannot be read: ", ffmpeg::reason(e));
    }
    AVFormatContext* format = avformat_alloc_context();
    format->pb = io;
    // A playlist inside the file names other files and addresses: no protocol may follow them.
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    const int opened = avformat_open_input(&format, path_.c_str(), nullptr, &options);
    av_dict_free(&options);
    if (opened < 0) {
      avio_closep(&io);
      bad("is no video that FFmpeg knows: ", ffmpeg::reason(opened));
    }
    format_.reset(format);
    if (const int e = avformat_find_stream_info(format, nullptr); e < 0)
      bad("has no readable streams: ", ffmpeg::reason(e));
    const AVCodec* decoder = nullptr;
    stream_ = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (stream_ == AVERROR_DECODER_NOT_FOUND) bad("holds video that this FFmpeg has no decoder for");
    if (stream_ < 0 || (stream()->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) bad("holds no video");
    for (unsigned i = 0; i < format->nb_streams; ++i) {
      if (static_cast<int>(i) != stream_) format->streams[i]->discard = AVDISCARD_ALL;
    }
    codec_.reset(avcodec_alloc_context3(decoder));
    avcodec_parameters_to_context(codec_.get(), stream()->codecpar);
    codec_->thread_count = 1;  // videos are read in parallel, not frames
    codec_->max_pixels = max_pixels;
    codec_->pkt_timebase = stream()->time_base;
    if (const int e = avcodec_open2(codec_.get(), decoder, nullptr); e < 0)
      bad("cannot be decoded: ", ffmpeg::reason(e));
    const AVRational rate = stream()->avg_frame_rate.num > 0 && stream()->avg_frame_rate.den > 0
                                ? stream()->avg_frame_rate
                                : stream()->r_frame_rate;
    fps_ = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 25.0;
    read_orientation();
  }

  AVStream* stream() const { return format_->streams[stream_]; }

  /// The display matrix turns and mirrors by quarters; x' = a x + c y, y' = b x + d y.
  void read_orientation() {
    const std::int32_t* m = nullptr;
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    const AVCodecParameters* p = stream()->codecpar;
    if (const AVPacketSideData* side =
            av_packet_side_data_get(p->coded_side_data, p->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX)) {
      m = reinterpret_cast<const std::int32_t*>(side->data);
    }
#else
    m = reinterpret_cast<const std::int32_t*>(av_stream_get_side_data(stream(), AV_PKT_DATA_DISPLAYMATRIX, nullptr));
#endif
    if (m == nullptr) return;
    const auto magnitude = [](std::int32_t v) { return std::abs(static_cast<double>(v)); };
    transposed_ = magnitude(m[1]) > magnitude(m[0]);
    mirrored_x_ = (transposed_ ? m[3] : m[0]) < 0;
    mirrored_y_ = (transposed_ ? m[1] : m[4]) < 0;
  }

  /// Reads packets of the video until one is there; false at the end of the file.
  bool next_packet() {
    for (;;) {
      av_packet_unref(packet_.get());
      const int e = av_read_frame(format_.get(), packet_.get());
      if (e == AVERROR(EAGAIN)) continue;
      if (e < 0) return false;
      if (packet_->stream_index == stream_ && packet_->size > 0) return true;
    }
  }

  /// Whether a packet makes a picture that is shown. VP8's alternate references do not (RFC 6386, 9.1).
  bool shown(const AVPacket& p) const {
    if ((p.flags & AV_PKT_FLAG_DISCARD) != 0) return false;
    return codec_->codec_id != AV_CODEC_ID_VP8 || (p.data[0] & 0x10) != 0;
  }

  void list_packets() {
    while (next_packet()) {
      if (packet_->pts == AV_NOPTS_VALUE) {
        counted_ = true;
        return;
      }
      if ((packet_->flags & AV_PKT_FLAG_KEY) != 0) keys_.push_back(packet_->pts);
      if (!keys_.empty() && shown(*packet_)) shown_.push_back(packet_->pts);
    }
    std::sort(shown_.begin(), shown_.end());
    counted_ = keys_.empty() || std::adjacent_find(shown_.begin(), shown_.end()) != shown_.end();
    if (counted_) return;
    // What is shown before the first key frame never had a picture to build on.
    const std::int64_t first = keys_.front();
    shown_.erase(shown_.begin(), std::lower_bound(shown_.begin(), shown_.end(), first));
    std::sort(keys_.begin(), keys_.end());
    for (const std::int64_t time : shown_) {
      starts_.push_back(std::max(first, *std::prev(std::upper_bound(keys_.begin(), keys_.end(), time))));
    }
  }

  void count_frames() {
    rewind();
    std::set<Index> none;
    decode_counted(none);
    if (frames_counted_ == 0) bad("holds no frame that can be decoded");
  }

  /// Starts again at the beginning of the file.
  void rewind() {
    open();
  }

  /// Decodes until `take(frame)` returns false or the file ends.
  template <class Take>
  void decode(Take&& take) {
    bool more = true;
    while (more) {
      more = next_packet();
      int e = avcodec_send_packet(codec_.get(), more ? packet_.get() : nullptr);
      if (e < 0 && more) continue;  // a packet that is broken makes no frame; whoever wants it will miss it
      while ((e = avcodec_receive_frame(codec_.get(), frame_.get())) >= 0) {
        if (!take(*frame_)) return;
      }
    }
  }

  void decode_counted(std::set<Index>& wanted) {
    Index number = 0;
    const bool counting = wanted.empty();
    decode([&](const AVFrame& frame) {
      if (wanted.erase(number) == 1) pictures_[number] = picture(frame);
      ++number;
      return counting || !wanted.empty();
    });
    if (counting) frames_counted_ = number;
  }

  /// Decodes from key frame to key frame. Where a seek did not lead to the frame wanted, as in containers without an
  /// index, decoding begins further back, and at last at the beginning of the file.
  void decode_wanted(std::set<Index>& wanted) {
    Index back = 0;
    while (!wanted.empty()) {
      const Index first = *wanted.begin();
      const bool from_beginning = !seek(first, back);
      if (from_beginning) rewind();
      decode_run(wanted, first);
      if (!wanted.contains(first)) continue;
      if (from_beginning) return;
      back = 2 * back + 1;
    }
  }

  /// Decodes until the next wanted frame has been passed or, once there was the `first`, is better reached by a seek.
  void decode_run(std::set<Index>& wanted, Index first) {
    decode([&](const AVFrame& frame) {
      const std::int64_t time = frame.best_effort_timestamp;
      const auto at = std::lower_bound(shown_.begin(), shown_.end(), time);
      if (at == shown_.end() || *at != time) return true;
      const Index number = at - shown_.begin();
      const bool damaged = (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
      if (!damaged && wanted.erase(number) == 1) pictures_[number] = picture(frame);
      if (wanted.empty()) return false;
      const Index next = *wanted.begin();
      const bool passed = next <= number;
      const bool far = !wanted.contains(first) && next > number + 1 && start_of(next) > time;
      return !passed && !far;
    });
  }

  std::int64_t start_of(Index number) const {
    return starts_[static_cast<std::size_t>(number)];
  }

  /// Goes to the key frame that is `back` before the one of a frame; false where that is the first, or the container
  /// cannot seek.
  bool seek(Index number, Index back) {
    const auto key = std::lower_bound(keys_.begin(), keys_.end(), start_of(number));
    if (key - keys_.begin() <= back) return false;
    if (avformat_seek_file(format_.get(), stream_, INT64_MIN, *(key - back), *(key - back), 0) < 0) return false;
    avcodec_flush_buffers(codec_.get());
    return true;
  }

  /// A decoded frame in RGB, turned; all in the size of the first.
  std::vector<std::uint8_t> picture(const AVFrame& frame) {
    if (width_ == 0) {
      width_ = transposed_ ? frame.height : frame.width;
      height_ = transposed_ ? frame.width : frame.height;
    }
    const int columns = static_cast<int>(transposed_ ? height_ : width_);
    const int rows = static_cast<int>(transposed_ ? width_ : height_);
    // Bit-exact and accurate: the same pixels on every processor.
    constexpr int flags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT;
    SwsContext* scaler =
        sws_getCachedContext(scaler_.release(), frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
                             columns, rows, AV_PIX_FMT_RGB24, flags, nullptr, nullptr, nullptr);
    scaler_.reset(scaler);
    if (scaler == nullptr) bad("has pixels of a kind that FFmpeg cannot turn into RGB");
    const int* matrix = sws_getCoefficients(
        frame.colorspace == AVCOL_SPC_UNSPECIFIED || frame.colorspace == AVCOL_SPC_RGB ? SWS_CS_DEFAULT
                                                                                       : frame.colorspace);
    const int* rgb = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(scaler, matrix, frame.color_range == AVCOL_RANGE_JPEG, rgb, 1, 0, 1 << 16, 1 << 16);
    // swscale may write a little past a row: it gets rows of its own.
    const int row_bytes = (columns * 3 + 63) / 64 * 64;
    scaled_.resize(static_cast<std::size_t>(row_bytes) * static_cast<std::size_t>(rows) + 64);
    std::uint8_t* planes[4] = {scaled_.data(), nullptr, nullptr, nullptr};
    const int strides[4] = {row_bytes, 0, 0, 0};
    if (sws_scale(scaler, frame.data, frame.linesize, 0, frame.height, planes, strides) != rows) {
      bad("has a frame that FFmpeg cannot turn into RGB");
    }
    return oriented(rows, columns, row_bytes);
  }

  std::vector<std::uint8_t> oriented(int rows, int columns, int row_bytes) const {
    std::vector<std::uint8_t> out(static_cast<std::size_t>(height_ * width_ * 3));
    for (Index y = 0; y < height_; ++y) {
      for (Index x = 0; x < width_; ++x) {
        const Index shown_x = mirrored_x_ ? width_ - 1 - x : x;
        const Index shown_y = mirrored_y_ ? height_ - 1 - y : y;
        const Index from_x = transposed_ ? shown_y : shown_x;
        const Index from_y = transposed_ ? shown_x : shown_y;
        const std::uint8_t* from =
            scaled_.data() + std::min<Index>(from_y, rows - 1) * row_bytes + std::min<Index>(from_x, columns - 1) * 3;
        std::copy(from, from + 3, out.data() + (y * width_ + x) * 3);
      }
    }
    return out;
  }

  std::filesystem::path path_;
  ffmpeg::Input format_;
  ffmpeg::Codec codec_;
  ffmpeg::Packet packet_{av_packet_alloc()};
  ffmpeg::Picture frame_{av_frame_alloc()};
  ffmpeg::Scaler scaler_;
  int stream_ = -1;
  double fps_ = 0;
  bool transposed_ = false;
  bool mirrored_x_ = false;
  bool mirrored_y_ = false;
  Index width_ = 0;  // as shown
  Index height_ = 0;
  std::vector<std::int64_t> shown_;   // time stamp of each frame
  std::vector<std::int64_t> starts_;  // time stamp of the last key frame shown no later than each frame
  std::vector<std::int64_t> keys_;    // time stamps of the key frames, sorted
  bool counted_ = false;              // time stamps do not tell frames apart
  Index frames_counted_ = 0;
  std::vector<std::uint8_t> scaled_;
  std::map<Index, std::vector<std::uint8_t>> pictures_;
};

}  // namespace vjepa
