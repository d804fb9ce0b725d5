#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/data/media_names.hpp"
#include "vjepa/data/video_list.hpp"

/// A video, an image or a stream whose features are wanted.
struct Input {
  std::string name;  // as the user knows it: what was given, and where within a folder
  bool stream = false;
};

/// Every video and image in a folder and the folders within it, in the order of their names.
inline std::vector<Input> media_in(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<Input> found;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(folder, options, error), end; it != end && !error; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    if (vjepa::is_video_name(it->path()) || vjepa::is_image_name(it->path())) found.push_back({it->path().string()});
  }
  if (error) vjepa::fail(folder.string(), ": cannot be listed: ", error.message());
  if (found.empty()) vjepa::fail(folder.string(), ": holds no files that are named as videos or images are");
  std::sort(found.begin(), found.end(), [](const Input& a, const Input& b) { return a.name < b.name; });
  return found;
}

/// What the arguments of the command line name, in their order: files, folders, CSV lists, "-" for standard input, and
/// addresses. Everything is a stream when `all_streams`. Throws Error for a folder or list that holds nothing.
inline std::vector<Input> listed_inputs(const std::vector<std::string>& arguments, bool all_streams) {
  std::vector<Input> inputs;
  for (const std::string& argument : arguments) {
    const std::filesystem::path path(argument);
    std::error_code ignored;
    if (all_streams || argument == "-" || argument.find("://") != std::string::npos) {
      inputs.push_back({argument, true});
    } else if (std::filesystem::is_directory(path, ignored)) {
      for (Input& input : media_in(path)) inputs.push_back(std::move(input));
    } else if (path.extension() == ".csv" || path.extension() == ".txt") {
      vjepa::VideoList list;
      list.add(path);
      for (vjepa::Index i = 0; i < list.size(); ++i) inputs.push_back({list.path(i).string()});
    } else {
      inputs.push_back({argument});
    }
  }
  return inputs;
}
