#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"

namespace vjepa {

namespace detail {

inline bool has_extension(const std::filesystem::path& path, std::span<const std::string_view> extensions) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

}  // namespace detail

/// Whether a file in a folder is named as videos are.
inline bool is_video_name(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 24> extensions = {
      ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v",  ".ts",  ".mts", ".m2ts",
      ".wmv", ".asf", ".flv", ".ogv", ".ogg",  ".3gp", ".3g2", ".vob",  ".divx", ".mxf", ".gif", ".y4m"};
  return detail::has_extension(path, extensions);
}

/// Whether a file in a folder is named as pictures are: what torchvision's ImageFolder takes, and AVIF.
inline bool is_image_name(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 11> extensions = {".jpg", ".jpeg", ".png",  ".ppm",  ".bmp", ".pgm",
                                                                  ".tif", ".tiff", ".webp", ".avif", ".jxl"};
  return detail::has_extension(path, extensions);
}

/// The files of a folder and the folders within it whose names are `wanted`, sorted: the order of a folder differs from
/// machine to machine. Links are followed, but no folder is entered twice: links may lead in a circle. Throws Error
/// when a folder cannot be listed.
inline std::vector<std::string> files_within(const std::filesystem::path& folder,
                                             bool (*wanted)(const std::filesystem::path&)) {
  std::vector<std::string> paths;
  std::set<std::pair<dev_t, ino_t>> entered;
  // Those still to enter, by name, links last: a folder that links lead to as well keeps its own name.
  std::set<std::pair<bool, std::filesystem::path>> folders{{false, folder}};
  while (!folders.empty()) {
    const std::filesystem::path next = folders.extract(folders.begin()).value().second;
    struct stat status {};
    if (::stat(next.c_str(), &status) == 0 && !entered.emplace(status.st_dev, status.st_ino).second) continue;
    std::error_code error;
    const auto options = std::filesystem::directory_options::skip_permission_denied;
    for (std::filesystem::directory_iterator it(next, options, error), end; it != end && !error; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) folders.emplace(it->is_symlink(ignored), it->path());
      if (wanted(it->path()) && it->is_regular_file(ignored)) paths.push_back(it->path().string());
    }
    if (error) fail(next.string(), ": cannot be listed: ", error.message());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace vjepa
