#pragma once

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
}

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/data/container.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/video_reader.hpp"

namespace vjepa {

/// What a container says of one of its streams, before anything is decoded; empty or 0 where it says nothing.
struct MediaStream {
  std::string kind;  // video, audio, subtitle, data
  std::string codec;
  Index width = 0;  // as stored, before rotation
  Index height = 0;
  std::string pixel_format;
  double fps = 0;
  int rotation = 0;  // degrees clockwise that the picture is to be turned
  int sample_rate = 0;
  int channels = 0;
};

/// What a media file is.
struct MediaInfo {
  std::string container;
  double seconds = 0;
  std::vector<MediaStream> streams;
  // Of the stream that VideoReader reads; 0 where there is none or it cannot be read, and why.
  Index frames = 0;
  double fps = 0;
  Index width = 0;  // as shown, after rotation
  Index height = 0;
  std::string problem;
};

namespace detail {

inline int rotation_of(const AVStream& stream) {
  const std::int32_t* const matrix = ffmpeg::display_matrix(stream);
  if (matrix == nullptr) return 0;
  const double counterclockwise = av_display_rotation_get(matrix);
  return std::isfinite(counterclockwise) ? (static_cast<int>(std::lround(-counterclockwise)) + 360) % 360 : 0;
}

inline MediaStream media_stream(const AVStream& stream) {
  const AVCodecParameters& p = *stream.codecpar;
  MediaStream s;
  const char* kind = av_get_media_type_string(p.codec_type);
  s.kind = kind != nullptr ? kind : "unknown";
  s.codec = avcodec_get_name(p.codec_id);
  if (p.codec_type == AVMEDIA_TYPE_VIDEO) {
    s.width = p.width;
    s.height = p.height;
    const char* format = av_get_pix_fmt_name(static_cast<AVPixelFormat>(p.format));
    s.pixel_format = format != nullptr ? format : "";
    s.fps = stream.avg_frame_rate.den > 0 ? av_q2d(stream.avg_frame_rate) : 0;
    s.rotation = rotation_of(stream);
  } else if (p.codec_type == AVMEDIA_TYPE_AUDIO) {
    s.sample_rate = p.sample_rate;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(59, 24, 100)
    s.channels = p.ch_layout.nb_channels;
#else
    s.channels = p.channels;
#endif
  }
  return s;
}

}  // namespace detail

/// Reads the streams of a media file and counts the frames of its video. Throws VideoError when it is no file that
/// FFmpeg knows.
inline MediaInfo read_media_info(const std::filesystem::path& path) {
  const ffmpeg::Input input = open_container(path);
  MediaInfo info;
  const AVFormatContext* const format = input.get();
  info.container = format->iformat->name;
  if (format->duration > 0) info.seconds = static_cast<double>(format->duration) / AV_TIME_BASE;
  for (unsigned i = 0; i < format->nb_streams; ++i) info.streams.push_back(detail::media_stream(*format->streams[i]));
  try {
    const VideoReader video(path);
    info.frames = video.frame_count();
    info.fps = video.fps();
    const int best = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    const MediaStream& shown = info.streams.at(static_cast<std::size_t>(best));
    const bool turned = shown.rotation % 180 != 0;
    info.width = turned ? shown.height : shown.width;
    info.height = turned ? shown.width : shown.height;
  } catch (const VideoError& e) {
    info.problem = std::string(e.what()).substr(path.string().size() + 2);  // without "path: "
  }
  return info;
}

}  // namespace vjepa
