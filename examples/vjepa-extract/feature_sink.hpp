#pragma once

#include <cstddef>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/sliding_window.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/io/mapped_file.hpp"
#include "vjepa/io/npy.hpp"
#include "vjepa/io/safetensors.hpp"

/// Where features go: rows come in the order of the inputs, and in the order of time within each.
class FeatureSink {
 public:
  virtual ~FeatureSink() = default;
  /// `row`: the features of one clip of the input called `name`.
  virtual void add(const std::string& name, const vjepa::TimedClip& clip, std::span<const float> row) = 0;
  /// Gives the files their names.
  virtual void commit() = 0;
};

/// F.npy: one array, a row a clip.
class NpySink : public FeatureSink {
 public:
  NpySink(const std::filesystem::path& path, const std::vector<vjepa::Index>& shape)
      : file_(path, vjepa::DType::f32, shape) {}
  void add(const std::string&, const vjepa::TimedClip&, std::span<const float> row) override {
    file_.append(std::as_bytes(row));
  }
  void commit() override { file_.commit(); }

 private:
  vjepa::NpyWriter file_;
};

/// F.safetensors: a tensor for each input, under its name, a row a clip. How many rows there are is known at the end,
/// so that they wait in a file beside it.
class SafetensorsSink : public FeatureSink {
 public:
  SafetensorsSink(const std::filesystem::path& path, std::vector<vjepa::Index> shape)
      : path_(path), shape_(std::move(shape)), rows_(path.string() + ".rows") {}
  void add(const std::string& name, const vjepa::TimedClip&, std::span<const float> row) override {
    if (tensors_.empty() || tensors_.back().first != name) tensors_.emplace_back(name, 0);
    ++tensors_.back().second;
    rows_.write(std::as_bytes(row));
  }
  void commit() override {
    if (tensors_.empty()) return vjepa::write_safetensors(path_, {});
    const vjepa::MappedFile rows(rows_.temporary());
    const std::size_t all_rows = [&] {
      std::size_t sum = 0;
      for (const auto& [name, count] : tensors_) sum += count;
      return sum;
    }();
    const std::size_t row_bytes = rows.bytes().size() / all_rows;
    std::vector<vjepa::StoredTensor> stored;
    std::size_t at = 0;
    for (const auto& [name, count] : tensors_) {
      std::vector<vjepa::Index> shape = shape_;
      shape.insert(shape.begin(), static_cast<vjepa::Index>(count));
      stored.push_back({name, vjepa::DType::f32, shape, rows.bytes().subspan(at, count * row_bytes)});
      at += count * row_bytes;
    }
    vjepa::write_safetensors(path_, stored);
  }

 private:
  std::filesystem::path path_;
  std::vector<vjepa::Index> shape_;
  vjepa::AtomicFile rows_;  // never given a name
  std::vector<std::pair<std::string, std::size_t>> tensors_;
};

/// DIR: an array for each input, DIR/its name.npy, written when its last row is there.
class FolderSink : public FeatureSink {
 public:
  FolderSink(std::filesystem::path folder, std::vector<vjepa::Index> shape)
      : folder_(std::move(folder)), shape_(std::move(shape)) {}
  void add(const std::string& name, const vjepa::TimedClip&, std::span<const float> row) override {
    if (!file_ || name_ != name) open(name);
    file_->append(std::as_bytes(row));
  }
  void commit() override {
    if (file_) file_->commit();
    file_.reset();
  }

  /// The file of an input: its name within the folder, never outside of it.
  std::filesystem::path path_of(const std::string& name) const {
    std::filesystem::path inside;
    for (const auto& part : std::filesystem::path(name).lexically_normal().relative_path()) {
      if (part != ".." && part != ".") inside /= part;
    }
    return folder_ / (inside += ".npy");
  }

 private:
  void open(const std::string& name) {
    commit();
    const std::filesystem::path path = path_of(name);
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) vjepa::fail(path.parent_path().string(), ": cannot make this folder: ", error.message());
    name_ = name;
    file_.emplace(path, vjepa::DType::f32, shape_);
  }

  std::filesystem::path folder_;
  std::vector<vjepa::Index> shape_;
  std::string name_;
  std::optional<vjepa::NpyWriter> file_;
};

/// "-": a line of JSON a clip on standard output, as soon as it is there.
class LineSink : public FeatureSink {
 public:
  explicit LineSink(std::vector<vjepa::Index> shape) : shape_(std::move(shape)) {}
  void add(const std::string& name, const vjepa::TimedClip& clip, std::span<const float> row) override {
    const nlohmann::ordered_json line = {{"input", name},           {"first_frame", clip.first},
                                         {"last_frame", clip.last}, {"seconds", clip.seconds},
                                         {"shape", shape_},         {"features", row}};
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
    if (!std::cout) vjepa::fail("standard output was closed");
  }
  void commit() override {}

 private:
  std::vector<vjepa::Index> shape_;
};

/// Whether --out names one file, not a folder.
inline bool is_file_name(const std::filesystem::path& out) {
  return out.extension() == ".npy" || out.extension() == ".safetensors";
}

inline bool is_utf8(const std::string& name) {
  try {
    nlohmann::json(name).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

/// The sink for --out. Throws Error when the name says no format, or an input's name cannot be a name in it.
inline std::unique_ptr<FeatureSink> make_sink(const std::string& out, const std::vector<vjepa::Index>& shape,
                                              const std::vector<std::string>& names) {
  if (out == "-") return std::make_unique<LineSink>(shape);
  const std::filesystem::path path(out);
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  if (path.filename() == ".npy" || path.filename() == ".safetensors") {
    vjepa::fail("--out ", out, ": has no name before its ending");
  }
  if (is_file_name(path) && is_folder) vjepa::fail("--out ", out, ": is a folder; remove it, or choose another name");
  if (!is_file_name(path) && path.has_extension() && !is_folder) {
    vjepa::fail("--out ", out, ": choose a name that ends in .npy or .safetensors, a folder, or - for lines of JSON");
  }
  if (path.extension() == ".npy") return std::make_unique<NpySink>(path, shape);
  const bool tensors = path.extension() == ".safetensors";
  auto folder = std::make_unique<FolderSink>(path, shape);
  std::set<std::string> places;
  for (const std::string& name : names) {
    constexpr std::size_t longest = 255 - 4;  // of a name in a folder, less the .tmp of a file not yet whole
    if (tensors && !is_utf8(name)) {
      vjepa::fail(name, ": is not UTF-8, which safetensors want of names; write an .npy file or a folder");
    }
    if (!tensors && folder->path_of(name).filename().string().size() > longest) {
      vjepa::fail(name, ": is too long for a file of features; write an .npy or a .safetensors file");
    }
    if (!places.insert(tensors ? name : folder->path_of(name).string()).second) {
      vjepa::fail(name, ": two inputs would share this name in ", out, "; write an .npy file, or give one at a time");
    }
  }
  if (tensors) return std::make_unique<SafetensorsSink>(path, shape);
  return folder;
}
