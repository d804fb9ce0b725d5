#pragma once

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
}

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/io/atomic_file.hpp"

namespace vjepa {

struct VideoWriterOptions {
  int fps = 25;
  int key_interval = 12;  // frames from one key frame to the next, at most
  int b_frames = 2;       // between two others, at most
};

/// Writes frames as a video of H.264, or of MPEG-4 where FFmpeg has no encoder of the first, in the container that the
/// file's extension names. The same frames give the same bytes on the same FFmpeg. The file appears with `finish`,
/// whole; until then, and when that fails, what had the name before stays untouched.
class VideoWriter {
 public:
  /// Width and height are even. Throws Error when the file cannot be written.
  VideoWriter(std::filesystem::path path, Index height, Index width, const VideoWriterOptions& options = {})
      : path_(std::move(path)), file_(path_), height_(height), width_(width) {
    if (height < 2 || width < 2 || height % 2 != 0 || width % 2 != 0 || height > 16384 || width > 16384) {
      bad("cannot have frames of ", width, "x", height, "; width and height must be even, from 2 to 16384");
    }
    open_encoder(options);
    open_output();
  }

  /// Appends all frames, which are of the size given.
  void write(const Frames& frames) {
    if (frames.height != height_ || frames.width != width_) {
      bad("has frames of ", width_, "x", height_, "; one of ", frames.width, "x", frames.height, " does not fit");
    }
    for (Index i = 0; i < frames.count; ++i) write(frames.frame(i));
  }

  /// Ends the video and gives the file its name.
  void finish() {
    encode(nullptr);
    check(av_write_trailer(output_.get()));
    output_.reset();
    file_.commit();
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(path_.string(), ": ", parts...);
  }

  void check(int code) const {
    if (code < 0) bad("cannot write the video: ", ffmpeg::reason(code));
  }

  void open_encoder(const VideoWriterOptions& options) {
    const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
    if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (encoder == nullptr) bad("cannot be written: this FFmpeg has no encoder of H.264 or MPEG-4");
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->width = static_cast<int>(width_);
    codec_->height = static_cast<int>(height_);
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->colorspace = AVCOL_SPC_SMPTE170M;
    codec_->color_range = AVCOL_RANGE_MPEG;
    codec_->time_base = {1, options.fps};
    codec_->framerate = {options.fps, 1};
    codec_->gop_size = options.key_interval;
    codec_->max_b_frames = options.b_frames;
    codec_->thread_count = 1;  // the bytes must not depend on the machine; videos are written in parallel, not frames
    codec_->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    if (encoder->id == AV_CODEC_ID_H264) {
      av_opt_set(codec_->priv_data, "preset", "veryfast", 0);
      av_opt_set(codec_->priv_data, "crf", "20", 0);
      av_opt_set(codec_->priv_data, "mbtree", "0",
                 0);  // x264's vector code of it differs from run to run, below 128 px
    } else {
      codec_->flags |= AV_CODEC_FLAG_QSCALE;
      codec_->global_quality = 3 * FF_QP2LAMBDA;
    }
    check(avcodec_open2(codec_.get(), encoder, nullptr));
    allocate(*rgb_, AV_PIX_FMT_RGB24);
    allocate(*picture_, codec_->pix_fmt);
    scaler_.reset(sws_getContext(codec_->width, codec_->height, AV_PIX_FMT_RGB24, codec_->width, codec_->height,
                                 codec_->pix_fmt, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr,
                                 nullptr));
    if (scaler_ == nullptr) bad("cannot be written: FFmpeg cannot convert its pixels");
  }

  /// Gives a picture its pixels, all zero: FFmpeg converts in vectors that read past the end of a row, and what they
  /// find there must not depend on what the memory held before.
  void allocate(AVFrame& picture, AVPixelFormat format) const {
    picture.format = format;
    picture.width = static_cast<int>(width_);
    picture.height = static_cast<int>(height_);
    check(av_frame_get_buffer(&picture, 0));
    for (const AVBufferRef* plane : picture.buf) {
      if (plane != nullptr) std::memset(plane->data, 0, plane->size);
    }
  }

  void open_output() {
    const AVOutputFormat* format = av_guess_format(nullptr, path_.c_str(), nullptr);
    if (format == nullptr) bad("names no video format; end the name in .mp4");
    AVFormatContext* output = nullptr;
    check(avformat_alloc_output_context2(&output, format, nullptr, nullptr));
    output_.reset(output);
    output->flags |= AVFMT_FLAG_BITEXACT;
    stream_ = avformat_new_stream(output, nullptr);
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    check(avcodec_parameters_from_context(stream_->codecpar, codec_.get()));
    check(avio_open(&output->pb, ("file:" + file_.temporary().string()).c_str(), AVIO_FLAG_WRITE));
    check(avformat_write_header(output, nullptr));
  }

  /// Appends one frame, [height, width, 3].
  void write(const std::uint8_t* rgb) {
    check(av_frame_make_writable(picture_.get()));
    const int row = static_cast<int>(width_) * 3;
    av_image_copy_plane(rgb_->data[0], rgb_->linesize[0], rgb, row, row, static_cast<int>(height_));
    sws_scale(scaler_.get(), rgb_->data, rgb_->linesize, 0, static_cast<int>(height_), picture_->data,
              picture_->linesize);
    picture_->pts = next_++;
    encode(picture_.get());
  }

  /// Hands a frame to the encoder, or says with a null pointer that it was the last, and writes what is ready.
  void encode(const AVFrame* frame) {
    check(avcodec_send_frame(codec_.get(), frame));
    for (;;) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code);
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      packet_->stream_index = stream_->index;
      check(av_interleaved_write_frame(output_.get(), packet_.get()));
    }
  }

  std::filesystem::path path_;
  AtomicFile file_;
  Index height_;
  Index width_;
  ffmpeg::Codec codec_;
  ffmpeg::Picture rgb_{av_frame_alloc()};      // the frame given
  ffmpeg::Picture picture_{av_frame_alloc()};  // the same in the encoder's colours
  ffmpeg::Packet packet_{av_packet_alloc()};
  ffmpeg::Scaler scaler_;
  ffmpeg::Output output_;
  AVStream* stream_ = nullptr;  // owned by the output
  std::int64_t next_ = 0;       // number of the next frame
};

}  // namespace vjepa
