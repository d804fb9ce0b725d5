#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/media_names.hpp"
#include "vjepa/data/sha256.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/train/probe_config.hpp"

namespace vjepa {

/// Names of classes, a line each. Throws Error when there are other than `classes`.
inline std::vector<std::string> read_class_names(const std::filesystem::path& path, Index classes) {
  std::ifstream file(path);
  if (!file) fail(path.string(), ": no such file of class names");
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(line);
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (static_cast<Index>(names.size()) != classes) {
    fail(path.string(), ": names ", names.size(), " classes, a line each; there are ", classes);
  }
  return names;
}

/// The labelled videos or images of an evaluation, and the names of their classes.
struct ProbeSets {
  VideoList train;
  VideoList val;
  std::vector<std::string> classes;
  std::string digest;  // SHA-256 of the files and labels of both sets, as their lists name them

  /// Reads lists and folders. Throws Error that names the file and line of a label that is not below data.num_classes,
  /// a class folder that is empty, or how the classes found differ from what data.num_classes says.
  explicit ProbeSets(const ProbeConfig& config) {
    const auto& data = config.data;
    if (config.kind == ProbeConfig::Kind::image) {
      const auto root = std::filesystem::path(data.root_path) / data.image_folder;
      add(train, root / "train", is_image_name, data.num_classes);
      add(val, root / "val", is_image_name, data.num_classes);
    } else {
      add(train, data.dataset_train, is_video_name, data.num_classes);
      add(val, data.dataset_val, is_video_name, data.num_classes);
    }
    if (!data.class_names.empty()) classes = read_class_names(data.class_names, data.num_classes);
    for (Index i = static_cast<Index>(classes.size()); i < data.num_classes; ++i) classes.push_back(text(i));
    Sha256 sha;
    for (const VideoList* list : {&train, &val}) {
      for (Index i = 0; i < list->size(); ++i) sha.add(text(list->spelling(i), ' ', list->label(i), '\n'));
      sha.add("\n");
    }
    digest = hex(sha.finish());
  }

  /// Where a configuration finds its sets.
  static std::string sources(const ProbeConfig& config) {
    const auto& data = config.data;
    return config.kind == ProbeConfig::Kind::image
               ? (std::filesystem::path(data.root_path) / data.image_folder).string()
               : text(data.dataset_train, " and ", data.dataset_val);
  }

  /// Of the training set.
  std::int64_t largest_label() const {
    std::int64_t largest = 0;
    for (Index i = 0; i < train.size(); ++i) largest = std::max(largest, train.label(i));
    return largest;
  }

 private:
  void add(VideoList& list, const std::filesystem::path& source, bool (*wanted)(const std::filesystem::path&),
           Index num_classes) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(source, ignored) && wanted == is_video_name) {
      list.add(source);
    } else {
      const std::vector<std::string> names = list.add_classes(source, wanted);
      if (static_cast<Index>(names.size()) != num_classes) {
        fail(source.string(), ": holds ", names.size(), " class folders; data.num_classes is ", num_classes);
      }
      if (!classes.empty() && names != classes) {
        fail(source.string(), ": its class folders are not those of the training set");
      }
      classes = names;
    }
    for (Index i = 0; i < list.size(); ++i) {
      if (list.label(i) >= 0 && list.label(i) < num_classes) continue;
      fail(list.where(i), ": label ", list.label(i), "; with data.num_classes ", num_classes, ", labels are 0 to ",
           num_classes - 1);
    }
  }
};

}  // namespace vjepa
