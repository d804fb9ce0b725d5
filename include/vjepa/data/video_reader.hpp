#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/picture_converter.hpp"
#include "vjepa/data/video_source.hpp"

namespace vjepa {

/// Reads frames of a video by their number in the order of display, whatever the container and codec: any that FFmpeg
/// knows. Frames come out as PictureConverter makes them.
///
/// The packets are listed once, without decoding; a frame is known by its time stamp, so that variable rates, B-frames
/// and open groups of pictures are exact, and decoding begins at the last key frame that is shown no later. A file
/// whose time stamps do not tell frames apart is decoded from its beginning and counted.
class VideoReader {
 public:
  /// Throws VideoError when there is no video to read.
  explicit VideoReader(std::filesystem::path path, DecodingDevice device = {})
      : path_(std::move(path)),
        device_(std::move(device)),
        source_(VideoSource::open(path_, device_)),
        converter_(*source_.stream()) {
    list_packets();
    if (counted_) count_frames();
    if (shown_.empty() && !counted_) bad("holds no frames of video");
  }

  /// Number of frames.
  Index frame_count() const { return counted_ ? frames_counted_ : static_cast<Index>(shown_.size()); }
  /// Mean frames a second.
  double fps() const { return source_.fps(); }
  const std::filesystem::path& path() const { return path_; }
  /// Whether hardware decoded the last frame that was read.
  bool on_hardware() const { return converter_.from_hardware(); }
  /// Of all frames in RGB; 0 where the file does not state their size and none was read.
  std::size_t bytes() const {
    return static_cast<std::size_t>(frame_count() * converter_.height() * converter_.width() * 3);
  }
  /// When a frame is shown, in seconds after the first.
  double seconds(Index number) const {
    if (counted_) return static_cast<double>(number) / fps();
    const auto at = static_cast<std::size_t>(number);
    return static_cast<double>(shown_.at(at) - shown_.front()) * av_q2d(source_.stream()->time_base);
  }

  /// The frames of these numbers, in the order asked; numbers may repeat. Throws VideoError when one does not exist,
  /// cannot be decoded, or memory does not hold them.
  Frames read(std::span<const Index> numbers) {
    std::vector<Frames> one;
    read({{numbers.begin(), numbers.end()}}, one);
    return std::move(one.front());
  }

  /// The same for the numbers of several clips, in one pass over the video. Overwrites `clips`, whose memory is used
  /// again.
  void read(const std::vector<std::vector<Index>>& numbers, std::vector<Frames>& clips) {
    clips.resize(numbers.size());
    Wanted wanted;
    for (std::size_t c = 0; c < numbers.size(); ++c) {
      for (std::size_t i = 0; i < numbers[c].size(); ++i) {
        const Index number = numbers[c][i];
        if (number < 0 || number >= frame_count()) bad("has ", frame_count(), " frames; there is no frame ", number);
        wanted.emplace(number, Place{&clips[c], static_cast<Index>(i)});
      }
      make_room(clips[c], static_cast<Index>(numbers[c].size()));
    }
    if (counted_) {
      rewind();
      decode_counted(wanted);
    } else {
      decode_wanted(wanted);
    }
    if (!wanted.empty()) bad("frame ", first_of(wanted), " of ", frame_count(), " cannot be decoded");
  }

 private:
  /// A frame of a clip.
  struct Place {
    Frames* clip;
    Index frame;
  };
  /// The numbers still wanted, and every place where each belongs.
  using Wanted = std::multimap<Index, Place>;

  static Index first_of(const Wanted& wanted) { return wanted.begin()->first; }

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    source_.bad(parts...);
  }

  /// Whether a packet makes a picture that is shown. VP8's alternate references do not (RFC 6386, 9.1).
  bool shown(const AVPacket& p) const {
    if ((p.flags & AV_PKT_FLAG_DISCARD) != 0) return false;
    return source_.codec()->codec_id != AV_CODEC_ID_VP8 || (p.data[0] & 0x10) != 0;
  }

  void list_packets() {
    while (source_.next_packet(*packet_)) {
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
    Wanted none;
    decode_counted(none);
    if (frames_counted_ == 0) bad("holds no frame that can be decoded");
  }

  /// Starts again at the beginning of the file.
  void rewind() { source_ = VideoSource::open(path_, device_); }

  /// Decodes until `more_wanted(frame)` returns false or the file ends.
  template <class More>
  void decode(More&& more_wanted) {
    bool more = true;
    while (more) {
      more = source_.next_packet(*packet_);
      int e = avcodec_send_packet(source_.codec(), more ? packet_.get() : nullptr);
      if (e < 0 && more) continue;  // a packet that is broken makes no frame; whoever wants it will miss it
      while ((e = avcodec_receive_frame(source_.codec(), frame_.get())) >= 0) {
        if (!more_wanted(*frame_)) return;
      }
    }
  }

  void decode_counted(Wanted& wanted) {
    Index number = 0;
    const bool counting = wanted.empty();
    decode([&](const AVFrame& frame) {
      put(number, frame, wanted);
      ++number;
      return counting || !wanted.empty();
    });
    if (counting) frames_counted_ = number;
  }

  /// Decodes from key frame to key frame. Where a seek did not lead to the frame wanted, as in containers without an
  /// index, decoding begins further back, and at last at the beginning of the file.
  void decode_wanted(Wanted& wanted) {
    Index back = 0;
    while (!wanted.empty()) {
      const Index first = first_of(wanted);
      const bool from_beginning = !seek(first, back);
      if (from_beginning) rewind();
      decode_run(wanted, first);
      if (!wanted.contains(first)) continue;
      if (from_beginning) return;
      back = 2 * back + 1;
    }
  }

  /// Decodes until the next wanted frame has been passed or, once there was the `first`, is better reached by a seek.
  void decode_run(Wanted& wanted, Index first) {
    decode([&](const AVFrame& frame) {
      const std::int64_t time = frame.best_effort_timestamp;
      const auto at = std::lower_bound(shown_.begin(), shown_.end(), time);
      if (at == shown_.end() || *at != time) return true;
      const Index number = at - shown_.begin();
      const bool damaged = (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
      if (!damaged) put(number, frame, wanted);
      if (wanted.empty()) return false;
      const Index next = first_of(wanted);
      const bool passed = next <= number;
      const bool far = !wanted.contains(first) && next > number + 1 && start_of(next) > time;
      return !passed && !far;
    });
  }

  std::int64_t start_of(Index number) const { return starts_[static_cast<std::size_t>(number)]; }

  /// Goes to the key frame that is `back` before the one of a frame; false where that is the first, or the container
  /// cannot seek.
  bool seek(Index number, Index back) {
    const auto key = std::lower_bound(keys_.begin(), keys_.end(), start_of(number));
    if (key - keys_.begin() <= back) return false;
    if (avformat_seek_file(source_.format(), source_.stream()->index, INT64_MIN, *(key - back), *(key - back), 0) < 0)
      return false;
    avcodec_flush_buffers(source_.codec());
    return true;
  }

  void make_room(Frames& clip, Index count) const {
    try {
      clip.reshape(count, converter_.height(), converter_.width());
    } catch (const std::bad_alloc&) {
      bad("has frames of ", converter_.width(), "x", converter_.height(), "; memory does not hold the ", count,
          " of a clip; leave the video out, or make it smaller");
    }
  }

  /// Writes a frame to every place where it is wanted.
  void put(Index number, const AVFrame& frame, Wanted& wanted) {
    const auto [begin, end] = wanted.equal_range(number);
    if (begin == end) return;
    const bool sized = converter_.width() > 0;
    try {
      converter_.convert(frame);
    } catch (const Error& e) {
      bad(e.what());
    }
    if (!sized) {
      for (const auto& [other, place] : wanted) make_room(*place.clip, place.clip->count);
    }
    for (auto at = begin; at != end; ++at) converter_.copy_to(at->second.clip->frame(at->second.frame));
    wanted.erase(begin, end);
  }

  std::filesystem::path path_;
  DecodingDevice device_;
  VideoSource source_;
  PictureConverter converter_;
  ffmpeg::Packet packet_{av_packet_alloc()};
  ffmpeg::Picture frame_{av_frame_alloc()};
  std::vector<std::int64_t> shown_;   // time stamp of each frame
  std::vector<std::int64_t> starts_;  // time stamp of the last key frame shown no later than each frame
  std::vector<std::int64_t> keys_;    // time stamps of the key frames, sorted
  bool counted_ = false;              // time stamps do not tell frames apart
  Index frames_counted_ = 0;
};

}  // namespace vjepa
