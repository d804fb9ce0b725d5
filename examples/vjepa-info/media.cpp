#include <filesystem>
#include <string>

#include "info.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/data/media_info.hpp"

using namespace vjepa;

Report describe_media(const std::filesystem::path& path) {
  MediaInfo info;
  try {
    info = read_media_info(path);
  } catch (const VideoError& e) {
    refuse(path,
           "is of no kind that is known (FFmpeg: " + std::string(e.what()).substr(path.string().size() + 2) + ")");
  }
  Report report;
  report["file"] = path.string();
  report["kind"] = "media";
  report["container"] = info.container;
  report["bytes"] = std::filesystem::file_size(path);
  if (info.seconds > 0) report["seconds"] = info.seconds;
  if (info.problem.empty()) {
    report["frames"] = info.frames;
    report["fps"] = info.fps;
    report["width"] = info.width;
    report["height"] = info.height;
  } else {
    report["problem"] = info.problem;
  }
  Report& streams = report["streams"] = Report::array();
  for (const MediaStream& s : info.streams) {
    std::string details;
    if (s.width > 0) details = text(s.width, "x", s.height, ", ", s.pixel_format);
    if (s.fps > 0) details += text(", ", s.fps, " fps");
    if (s.rotation != 0) details += text(", turned by ", s.rotation, " degrees");
    if (s.sample_rate > 0)
      details = text(s.sample_rate, " Hz, ", s.channels, s.channels == 1 ? " channel" : " channels");
    streams.push_back({{"stream", s.kind}, {"codec", s.codec}, {"details", details}});
  }
  return report;
}
