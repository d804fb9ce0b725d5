#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/data/media_names.hpp"
#include "vjepa/data/video_list.hpp"

namespace program {

/// A video, an image or a stream, as a command line names it.
struct Input {
  std::string name;  // as the user knows it: what was given, and where within a folder
  bool stream = false;
  std::optional<std::int64_t> label = {};  // of a CSV list
};

inline bool is_list_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".csv" || extension == ".txt";
}

/// What the arguments of the command line name, in their order: files, folders, CSV lists, "-" for standard input, and
/// addresses. Everything is a stream when `all_streams`. Throws Error for a folder or list that holds nothing.
inline std::vector<Input> listed_inputs(const std::vector<std::string>& arguments, bool all_streams) {
  std::vector<Input> inputs;
  for (const std::string& argument : arguments) {
    const std::filesystem::path path(argument);
    std::error_code ignored;
    if (all_streams || argument == "-" || argument.find("://") != std::string::npos) {
      inputs.push_back({.name = argument, .stream = true});
    } else if (std::filesystem::is_directory(path, ignored)) {
      const auto found = vjepa::files_within(
          path, [](const std::filesystem::path& p) { return vjepa::is_video_name(p) || vjepa::is_image_name(p); });
      if (found.empty()) vjepa::fail(argument, ": holds no files that are named as videos or images are");
      for (const std::string& file : found) inputs.push_back({.name = file});
    } else if (is_list_name(path)) {
      vjepa::VideoList list;
      list.add(path);
      for (vjepa::Index i = 0; i < list.size(); ++i) {
        inputs.push_back({.name = list.path(i).string(), .label = list.label(i)});
      }
    } else {
      inputs.push_back({.name = argument});
    }
  }
  return inputs;
}

}  // namespace program
