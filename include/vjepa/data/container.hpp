#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

#include "vjepa/core/error.hpp"
#include "vjepa/data/ffmpeg.hpp"

namespace vjepa {

/// A video that cannot be read: no file, no video in it, or frames that cannot be decoded. The message begins with its
/// name.
class VideoError : public Error {
  using Error::Error;
};

/// Opens `url` with what `format` was prepared with, which it takes in any case, and finds its streams. Throws
/// VideoError that begins with `name`.
inline ffmpeg::Input open_container(AVFormatContext* format, const std::string& name, const std::string& url,
                                    const AVInputFormat* demuxer, const std::map<std::string, std::string>& options) {
  AVIOContext* io = format->pb;
  AVDictionary* dictionary = nullptr;
  for (const auto& [key, value] : options) av_dict_set(&dictionary, key.c_str(), value.c_str(), 0);
  const int opened = avformat_open_input(&format, url.c_str(), demuxer, &dictionary);
  const AVDictionaryEntry* left = av_dict_get(dictionary, "", nullptr, AV_DICT_IGNORE_SUFFIX);
  const std::string unknown = left != nullptr ? left->key : "";
  av_dict_free(&dictionary);
  if (opened < 0) {
    avio_closep(&io);
    throw VideoError(text(name, ": is no video that FFmpeg knows: ", ffmpeg::reason(opened)));
  }
  ffmpeg::Input input(format);
  if (!unknown.empty() && unknown != "protocol_whitelist") {
    throw VideoError(text(name, ": FFmpeg has no option '", unknown, "' for it"));
  }
  if (const int e = avformat_find_stream_info(format, nullptr); e < 0) {
    throw VideoError(text(name, ": has no readable streams: ", ffmpeg::reason(e)));
  }
  return input;
}

/// Opens a file. A file is data: it cannot make FFmpeg open another file or address. Throws VideoError.
inline ffmpeg::Input open_container(const std::filesystem::path& path) {
  const auto bad = [&](const auto&... parts) { return VideoError(text(path.string(), ": ", parts...)); };
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) throw bad("no such file");
  if (std::filesystem::file_size(path, ignored) == 0) throw bad("is empty");
  AVIOContext* io = nullptr;
  if (const int e = avio_open(&io, ("file:" + path.string()).c_str(), AVIO_FLAG_READ); e < 0) {
    throw bad("cannot be read: ", ffmpeg::reason(e));
  }
  AVFormatContext* format = avformat_alloc_context();
  format->pb = io;
  // A playlist inside the file names other files and addresses: no protocol may follow them.
  return open_container(format, path.string(), path.string(), nullptr, {{"protocol_whitelist", "none"}});
}

}  // namespace vjepa
