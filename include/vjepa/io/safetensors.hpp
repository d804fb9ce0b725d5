#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/mapped_file.hpp"
#include "vjepa/io/stored_tensor.hpp"

namespace vjepa {

/// Looks a header over before its values are kept: JSON would let the later of two tensors of one name hide the
/// earlier, nest without end, and take many times its length in memory.
class SafetensorsHeaderCheck final : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// What is wrong with JSON that is otherwise whole, or nothing.
  const std::string& fault() const { return fault_; }

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(std::int64_t) override { return count(); }
  bool number_unsigned(std::uint64_t) override { return count(); }
  bool number_float(double, const std::string&) override { return count(); }
  bool string(std::string&) override { return count(); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (depth_ > 1 || names_.insert(name).second) return true;
    return found("two tensors are named '" + name + "'");
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  static constexpr std::size_t max_values = 1'000'000;
  static constexpr int max_depth = 3;  // an object of objects of arrays

  bool found(std::string fault) {
    fault_ = std::move(fault);
    return false;
  }
  bool count() { return ++values_ <= max_values || found(text("the header has more than ", max_values, " values")); }
  bool open() { return count() && (++depth_ <= max_depth || found("the header is nested too deep")); }
  bool close() {
    --depth_;
    return true;
  }

  std::set<std::string> names_;
  std::string fault_;
  std::size_t values_ = 0;
  int depth_ = 0;
};

/// A safetensors file: an 8-byte header length, a JSON header, the tensors' bytes
/// (https://github.com/huggingface/safetensors). Tensors point into the mapped file.
class SafetensorsFile {
 public:
  /// Throws Error that names the file and what is wrong with it: a header that is too long or no JSON, an
  /// unknown type, a shape whose size is not that of its bytes, bytes outside the file or used twice.
  explicit SafetensorsFile(const std::filesystem::path& path) : file_(path) {
    const std::span<const std::byte> bytes = file_.bytes();
    std::uint64_t length = 0;
    if (bytes.size() < sizeof(length)) bad("shorter than a header");
    std::memcpy(&length, bytes.data(), sizeof(length));
    if (length > max_header || length > bytes.size() - sizeof(length)) {
      bad("the header says it is ", length, " bytes long, the file has ", bytes.size());
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length),
                                static_cast<std::size_t>(length));
    const nlohmann::json header = parse(text);
    const std::span<const std::byte> data = bytes.subspan(sizeof(length) + static_cast<std::size_t>(length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(entry);
      } else {
        tensors_.push_back(read_tensor(name, entry, data));
      }
    }
    check_overlap();
    for (const StoredTensor& tensor : tensors_) by_name_.emplace(tensor.name, &tensor);
  }

  /// Whether bytes are the beginning of such a file: the length of a header, and its first brace.
  static bool begins_as_one(std::span<const std::byte> head) {
    std::uint64_t length = 0;
    if (head.size() <= sizeof(length)) return false;
    std::memcpy(&length, head.data(), sizeof(length));
    return length <= max_header && head[sizeof(length)] == std::byte{'{'};
  }

  const std::filesystem::path& path() const { return file_.path(); }
  /// In the order of their bytes in the file.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  const StoredTensor* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  /// Throws Error when there is no such tensor.
  const StoredTensor& at(std::string_view name) const {
    const StoredTensor* tensor = find(name);
    if (tensor == nullptr) bad("no tensor '", name, "'");
    return *tensor;
  }

 private:
  static constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(file_.path().string(), ": not a usable safetensors file: ", parts...);
  }

  nlohmann::json parse(std::string_view text) const {
    SafetensorsHeaderCheck check;
    const bool good = nlohmann::json::sax_parse(text, &check);
    if (!check.fault().empty()) bad(check.fault());
    nlohmann::json header;
    if (good) header = nlohmann::json::parse(text, nullptr, false);
    if (!header.is_object()) bad("the header is not a JSON object");
    return header;
  }

  void read_metadata(const nlohmann::json& entry) {
    if (!entry.is_object()) bad("__metadata__ is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) bad("__metadata__ '", key, "' is not a string");
      metadata_.emplace(key, value.get<std::string>());
    }
  }

  StoredTensor read_tensor(const std::string& name, const nlohmann::json& entry,
                           std::span<const std::byte> data) const {
    StoredTensor tensor;
    tensor.name = name;
    const auto field = [&](const char* key) -> const nlohmann::json& {
      if (!entry.is_object() || !entry.contains(key)) bad("tensor '", name, "' has no ", key);
      return entry[key];
    };
    const nlohmann::json& dtype = field("dtype");
    const auto type = parse_dtype(dtype.is_string() ? dtype.get<std::string>() : "");
    if (!type) bad("tensor '", name, "' has the unknown dtype ", dtype.dump());
    tensor.dtype = *type;

    for (const nlohmann::json& extent : sized_list(name, field("shape"), "shape")) {
      const auto n = extent.get<std::uint64_t>();
      if (!std::in_range<Index>(n)) bad("tensor '", name, "' is larger than the file");
      tensor.shape.push_back(static_cast<Index>(n));
    }
    const auto size = bytes_of_shape(tensor.dtype, tensor.shape, data.size());
    if (!size) bad("tensor '", name, "' is larger than the file");

    const nlohmann::json& offsets = sized_list(name, field("data_offsets"), "data_offsets");
    if (offsets.size() != 2) bad("tensor '", name, "' has data_offsets that are not two numbers");
    const auto begin = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > data.size()) {
      bad("tensor '", name, "' lies at bytes ", begin, " to ", end, " of ", data.size());
    }
    if (end - begin != *size) {
      bad("tensor '", name, "' of shape ", shape_text(tensor.shape), " and type ", name_of(tensor.dtype), " wants ",
          *size, " bytes and has ", end - begin);
    }
    tensor.bytes = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    return tensor;
  }

  const nlohmann::json& sized_list(const std::string& name, const nlohmann::json& list, const char* key) const {
    const bool numbers = list.is_array() && std::all_of(list.begin(), list.end(),
                                                        [](const nlohmann::json& n) { return n.is_number_unsigned(); });
    if (!numbers) bad("tensor '", name, "' has a ", key, " that is not a list of sizes");
    return list;
  }

  static std::optional<DType> parse_dtype(std::string_view name) {
    for (const DType type : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::i16,
                             DType::i8, DType::u8, DType::boolean}) {
      if (name_of(type) == name) return type;
    }
    return std::nullopt;
  }

  void check_overlap() {
    std::sort(tensors_.begin(), tensors_.end(), [](const StoredTensor& a, const StoredTensor& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    for (std::size_t i = 1; i < tensors_.size(); ++i) {
      const StoredTensor& before = tensors_[i - 1];
      if (before.bytes.data() + before.bytes.size() > tensors_[i].bytes.data()) {
        bad("tensors '", before.name, "' and '", tensors_[i].name, "' overlap");
      }
    }
  }

  MappedFile file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string_view, const StoredTensor*> by_name_;
  std::map<std::string, std::string> metadata_;
};

/// Writes a safetensors file, whole or not at all. The header is padded so that the data begins at a multiple
/// of 8 bytes.
inline void write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const StoredTensor& tensor : tensors) {
    const std::uint64_t end = offset + tensor.bytes.size();
    const bool fresh = header
                           .emplace(tensor.name, nlohmann::json{{"dtype", name_of(tensor.dtype)},
                                                                {"shape", tensor.shape},
                                                                {"data_offsets", {offset, end}}})
                           .second;
    if (!fresh) fail(path.string(), ": two tensors are named '", tensor.name, "'");
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(path.string(), ": a name or a text is not UTF-8, which safetensors want");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');

  AtomicFile file(path);
  const std::uint64_t length = text.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const StoredTensor& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

}  // namespace vjepa
