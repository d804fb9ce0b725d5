#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/pickle.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/io/zip_archive.hpp"

namespace vjepa {

/// A file that torch.save wrote (PyTorch 1.6 or later: a zip archive of a pickle and a file for each storage). What it
/// nests in dicts, lists and tuples comes out flat, under its keys joined by dots: `encoder.module.backbone.norm.bias`,
/// `opt.param_groups.0.lr`. Nothing in the file is run. Tensors point into the mapped file where they are contiguous.
class TorchFile {
 public:
  /// Throws Error that names the file and what is wrong with it.
  explicit TorchFile(const std::filesystem::path& path) : archive_(path) {
    find_root();
    const std::span<const std::byte> bytes = archive_.read(root_ + "data.pkl");
    flatten("", pickle::Reader(bytes, path.string()).read());
  }

  const std::filesystem::path& path() const { return archive_.path(); }
  /// In the order of the file's dicts.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// The numbers and texts beside the tensors, as text: "3", "0.001", "true", "none".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  // What is pickled once may stand in many places, and is copied to each.
  static constexpr std::size_t max_values = 100'000;
  static constexpr std::size_t max_listing = std::size_t{64} << 20;
  static constexpr std::size_t max_name = 1024;

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(path().string(), ": not a usable PyTorch file: ", parts...);
  }

  /// Everything lies in one folder of the archive, whose name is of no consequence.
  void find_root() {
    constexpr std::string_view pickled = "/data.pkl";
    for (const std::string_view name : archive_.names()) {
      if (name.size() > pickled.size() && name.ends_with(pickled)) {
        if (!root_.empty()) bad("it holds two pickles, '", root_, "data.pkl' and '", name, "'");
        root_ = name.substr(0, name.size() - pickled.size() + 1);
      }
    }
    if (root_.empty()) bad("the zip archive has no data.pkl");
    if (archive_.contains(root_ + "constants.pkl")) {
      bad("it is a TorchScript program, which is code; save the module's state_dict() instead");
    }
    if (archive_.contains(root_ + "byteorder")) {
      const auto order = archive_.read(root_ + "byteorder");
      if (order.size() != 6 || std::memcmp(order.data(), "little", 6) != 0) {
        bad("its numbers are not little-endian; load and save it on an x86 or ARM machine");
      }
    }
  }

  void flatten(const std::string& name, const pickle::Value& value) {
    if (++values_ > max_values) bad("it has more than ", max_values, " values");
    if (name.size() > max_name) bad("the name of a value is longer than ", max_name, " characters");
    list(name.size());
    if (const auto* tensor = std::get_if<std::shared_ptr<const pickle::Tensor>>(&value)) {
      list((*tensor)->shape.size() * sizeof(Index));
      tensors_.push_back(stored(name, **tensor));
    } else if (const auto* container = std::get_if<std::shared_ptr<pickle::Container>>(&value)) {
      flatten_items(name.empty() ? "" : name + ".", **container);
    } else {
      if (const auto* text = std::get_if<pickle::Text>(&value)) list((*text)->size());
      metadata_[name] = text_of(name, value);
    }
  }

  /// Counts bytes of names, texts and shapes.
  void list(std::size_t bytes) {
    listed_ += bytes;
    if (listed_ > max_listing) bad("its names and texts are longer than ", max_listing, " bytes in all");
  }

  void flatten_items(const std::string& prefix, const pickle::Container& container) {
    const std::vector<pickle::Value>& items = container.items;
    if (container.kind != pickle::Container::Kind::dict) {
      for (std::size_t i = 0; i < items.size(); ++i) flatten(prefix + std::to_string(i), items[i]);
      return;
    }
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      flatten(prefix + text_of(prefix + "(key)", items[i]), items[i + 1]);
    }
  }

  std::string text_of(const std::string& name, const pickle::Value& value) const {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* string = std::get_if<pickle::Text>(&value)) return **string;
    if (std::holds_alternative<pickle::None>(value)) return "none";
    if (const auto* real = std::get_if<double>(&value)) {
      char buffer[32];
      return {buffer, std::to_chars(buffer, buffer + sizeof(buffer), *real).ptr};
    }
    bad("'", name, "' is neither tensor, number nor text");
  }

  StoredTensor stored(const std::string& name, const pickle::Tensor& tensor) {
    const pickle::Storage& storage = tensor.storage;
    const std::span<const std::byte> bytes = archive_.read(root_ + "data/" + *storage.key);
    const std::size_t width = size_of(storage.dtype);
    if (storage.size < 0 || static_cast<std::uint64_t>(storage.size) > bytes.size() / width) {
      bad("the storage '", *storage.key, "' has ", bytes.size(), " bytes and should have ", storage.size,
          " elements of ", width, " bytes");
    }
    if (tensor.shape.size() != tensor.strides.size()) bad("tensor '", name, "' has not as many strides as dimensions");

    // Kept within `limit`, so that no product or sum can overflow.
    const Index limit = storage.size;
    Index size = 1;
    for (const Index n : tensor.shape) {
      if (n < 0) bad("tensor '", name, "' has a negative size");
      if (n == 0) size = 0;
    }
    Index last = tensor.offset;
    bool contiguous = true;
    if (last < 0 || last > limit) bad("tensor '", name, "' begins outside its storage");
    for (std::size_t d = tensor.shape.size(); size > 0 && d-- > 0;) {
      const Index n = tensor.shape[d];
      const Index stride = tensor.strides[d];
      if (stride < 0) bad("tensor '", name, "' has a negative stride");
      if (n == 1) continue;
      contiguous = contiguous && stride == size;
      if (stride > 0 && n - 1 > (limit - last) / stride) bad("tensor '", name, "' reaches beyond its storage");
      if (n > limit / size) bad("tensor '", name, "' is larger than its storage; save a contiguous copy of it");
      last += (n - 1) * stride;
      size *= n;
    }
    if (size > 0 && last >= limit) bad("tensor '", name, "' reaches beyond its storage");

    StoredTensor result{.name = name, .dtype = storage.dtype, .shape = tensor.shape, .bytes = {}};
    if (size == 0) return result;
    const std::span<const std::byte> begin = bytes.subspan(static_cast<std::size_t>(tensor.offset) * width);
    result.bytes = contiguous ? begin.first(static_cast<std::size_t>(size) * width)
                              : gathered(tensor, begin.data(), static_cast<std::size_t>(size), width);
    return result;
  }

  /// The elements of a strided tensor in row-major order.
  std::span<const std::byte> gathered(const pickle::Tensor& tensor, const std::byte* begin, std::size_t size,
                                      std::size_t width) {
    copied_ += size * width;
    if (copied_ > archive_.unpacked_size()) bad("its tensors overlap so often that they are larger than the file");
    std::vector<std::byte>& out = copies_.emplace_back(size * width);
    std::vector<Index> at(tensor.shape.size(), 0);
    Index offset = 0;
    for (std::size_t i = 0; i < size; ++i) {
      std::memcpy(out.data() + i * width, begin + static_cast<std::size_t>(offset) * width, width);
      for (std::size_t d = at.size(); d-- > 0;) {
        offset += tensor.strides[d];
        if (++at[d] < tensor.shape[d]) break;
        offset -= tensor.strides[d] * at[d];
        at[d] = 0;
      }
    }
    return out;
  }

  ZipArchive archive_;
  std::string root_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::deque<std::vector<std::byte>> copies_;
  std::uint64_t copied_ = 0;
  std::size_t values_ = 0;
  std::size_t listed_ = 0;
};

}  // namespace vjepa
