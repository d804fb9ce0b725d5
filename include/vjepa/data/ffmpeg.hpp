#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <array>
#include <cstdint>
#include <memory>
#include <string>

/// FFmpeg's objects with owners, for the reader and the writer of videos.
namespace vjepa {

/// FFmpeg prints what it finds odd in a file; programs that say so themselves keep it quiet.
inline void silence_ffmpeg() {
  av_log_set_level(AV_LOG_QUIET);
}

namespace ffmpeg {

/// What FFmpeg says of one of its error codes.
inline std::string reason(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> buffer{};
  av_strerror(code, buffer.data(), buffer.size());
  return buffer.data();
}

/// Calls one of FFmpeg's functions that free an object and clear the pointer to it.
template <auto Function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Function(&object);
  }
};

struct CloseInput {
  // FFmpeg leaves open what it did not open itself.
  void operator()(AVFormatContext* input) const {
    AVIOContext* io = (input->flags & AVFMT_FLAG_CUSTOM_IO) != 0 ? input->pb : nullptr;
    avformat_close_input(&input);
    avio_closep(&io);
  }
};

struct CloseOutput {
  void operator()(AVFormatContext* output) const {
    avio_closep(&output->pb);
    avformat_free_context(output);
  }
};

struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

using Input = std::unique_ptr<AVFormatContext, CloseInput>;
using Output = std::unique_ptr<AVFormatContext, CloseOutput>;
using Codec = std::unique_ptr<AVCodecContext, Free<avcodec_free_context>>;
using Packet = std::unique_ptr<AVPacket, Free<av_packet_free>>;
using Picture = std::unique_ptr<AVFrame, Free<av_frame_free>>;
using Scaler = std::unique_ptr<SwsContext, FreeScaler>;

/// The matrix by which a stream's pictures are turned and mirrored before they are shown (libavutil/display.h), or
/// nothing.
inline const std::int32_t* display_matrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  const AVCodecParameters* p = stream.codecpar;
  const AVPacketSideData* side =
      av_packet_side_data_get(p->coded_side_data, p->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return side != nullptr ? reinterpret_cast<const std::int32_t*>(side->data) : nullptr;
#else
  return reinterpret_cast<const std::int32_t*>(av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
#endif
}

}  // namespace ffmpeg

}  // namespace vjepa
