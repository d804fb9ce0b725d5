#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/mapped_file.hpp"
#include "vjepa/io/stored_tensor.hpp"

namespace vjepa {

/// What the reader and the writer of NumPy's .npy files share (format versions 1.0 to 3.0, numpy.lib.format).
namespace npy {

inline constexpr std::string_view magic = "\x93NUMPY";
inline constexpr std::pair<DType, std::string_view> type_names[] = {
    {DType::f64, "<f8"}, {DType::f32, "<f4"}, {DType::f16, "<f2"}, {DType::i64, "<i8"},    {DType::i32, "<i4"},
    {DType::i16, "<i2"}, {DType::i8, "|i1"},  {DType::u8, "|u1"},  {DType::boolean, "|b1"}};

/// Everything before the elements: a multiple of 64 bytes, and `least` at least.
inline std::string header(const std::filesystem::path& path, DType dtype, const std::vector<Index>& shape,
                          std::size_t least = 0) {
  std::string text = "{'descr': '";
  for (const auto& [type, name] : type_names) {
    if (type == dtype) text += name;
  }
  if (dtype == DType::bf16) fail(path.string(), ": npy has no bfloat16; write safetensors, or float32 or float16");
  text += "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";

  constexpr std::size_t before = 10;  // magic, version, length
  std::size_t size = before + text.size() + 1;
  size = std::max(least, (size + 63) / 64 * 64);
  text.resize(size - before - 1, ' ');
  std::string out(magic);
  const std::size_t length = text.size() + 1;
  for (const std::size_t byte : {std::size_t{1}, std::size_t{0}, length & 0xff, length >> 8}) {
    out += static_cast<char>(byte);
  }
  return out + text + "\n";
}

}  // namespace npy

/// A NumPy .npy file of one C-ordered, little-endian array. The tensor points into the mapped file.
class NpyFile {
 public:
  /// Throws Error that names the file and what is wrong with it: another format or type of element, Fortran order, a
  /// header that is not the three entries the format wants, more or fewer bytes than the shape takes.
  explicit NpyFile(const std::filesystem::path& path) : file_(path) {
    const std::span<const std::byte> bytes = file_.bytes();
    rest_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    if (!take(npy::magic)) bad("it does not begin as one");
    const std::uint64_t version = number(1);
    if (number(1) != 0 || version < 1 || version > 3) bad("its format version is unknown");
    const std::uint64_t length = number(version == 1 ? 2 : 4);
    if (length > rest_.size()) bad("the header says it is ", length, " bytes long; the file is cut short");
    const std::span<const std::byte> data = bytes.last(rest_.size() - static_cast<std::size_t>(length));
    rest_ = rest_.substr(0, static_cast<std::size_t>(length));
    read_header();

    const auto size = bytes_of_shape(tensor_.dtype, tensor_.shape, data.size());
    if (!size) bad("its shape ", shape_text(tensor_.shape), " takes more than its ", data.size(), " bytes");
    if (*size != data.size()) {
      bad("its shape ", shape_text(tensor_.shape), " takes ", *size, " bytes, the file has ", data.size());
    }
    tensor_.bytes = data;
  }

  const std::filesystem::path& path() const { return file_.path(); }
  /// The array, without a name.
  const StoredTensor& tensor() const { return tensor_; }

 private:
  static constexpr std::size_t max_rank = 64;  // NumPy's own limit

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(file_.path().string(), ": not a usable npy file: ", parts...);
  }

  std::uint64_t number(std::size_t width) {
    if (rest_.size() < width) bad("shorter than a header");
    std::uint64_t value = 0;
    std::memcpy(&value, rest_.data(), width);
    rest_.remove_prefix(width);
    return value;
  }

  /// Passes over `token` and the blanks before it, if it is next.
  bool take(std::string_view token) {
    const std::size_t blanks = std::min(rest_.find_first_not_of(" \n"), rest_.size());
    if (!rest_.substr(blanks).starts_with(token)) return false;
    rest_.remove_prefix(blanks + token.size());
    return true;
  }
  void want(std::string_view token) {
    if (!take(token)) bad("its header has no '", token, "' before \"", rest_.substr(0, 20), "\"");
  }
  std::string_view quoted() {
    const std::string_view quote = take("\"") ? "\"" : "'";
    if (quote == "'") want(quote);
    const std::string_view text = rest_.substr(0, rest_.find(quote));
    rest_.remove_prefix(text.size());
    want(quote);
    return text;
  }

  /// The literal of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
  void read_header() {
    std::set<std::string_view> keys;
    want("{");
    while (!take("}")) {
      const std::string_view key = quoted();
      if (!keys.insert(key).second) bad("its header has '", key, "' twice");
      want(":");
      if (key == "descr") {
        read_dtype();
      } else if (key == "fortran_order") {
        read_order();
      } else if (key == "shape") {
        read_shape();
      } else {
        bad("its header has the unknown entry '", key, "'");
      }
      if (take("}")) break;
      want(",");
    }
    if (keys.size() != 3) bad("its header lacks one of descr, fortran_order and shape");
    if (rest_.find_first_not_of(" \n") != rest_.npos) bad("its header goes on after the '}'");
  }

  void read_dtype() {
    if (take("[")) bad("its elements are records; save each field as an array of its own");
    const std::string_view name = quoted();
    for (const auto& [type, known] : npy::type_names) {
      if (name == known) {
        tensor_.dtype = type;
        return;
      }
    }
    if (name.starts_with(">"))
      bad("its elements '", name, "' are big-endian; save x.astype(x.dtype.newbyteorder('<'))");
    if (name.starts_with("|O")) bad("its elements are Python objects; save numbers");
    bad("its elements are of the type '", name, "', which is not read; save float32, or integers of up to 64 bits");
  }

  void read_order() {
    if (take("True")) bad("it is in Fortran order; save numpy.ascontiguousarray(x)");
    want("False");
  }

  void read_shape() {
    want("(");
    while (!take(")")) {
      take("");  // blanks
      Index n = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), n);
      if (error == std::errc::result_out_of_range) bad("a size in its shape has more than 63 bits");
      if (error != std::errc{} || n < 0) bad("its shape is not a tuple of sizes");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      tensor_.shape.push_back(n);
      if (tensor_.shape.size() > max_rank) bad("it has more than ", max_rank, " dimensions");
      if (take(")")) break;
      want(",");
    }
  }

  MappedFile file_;
  std::string_view rest_;  // of what is being read
  StoredTensor tensor_;
};

/// Writes a NumPy .npy file whose number of rows is known at its end, whole or not at all.
class NpyWriter {
 public:
  /// For an array of shape [rows, row...]. Throws Error when the file cannot be written, a row has no elements, or
  /// the type is bfloat16, which NumPy does not have.
  NpyWriter(const std::filesystem::path& path, DType dtype, std::vector<Index> row)
      : path_(path), dtype_(dtype), shape_(std::move(row)), file_(path) {
    const auto size = bytes_of_shape(dtype, shape_, std::numeric_limits<std::uint64_t>::max() / 2);
    if (!size || *size == 0) fail(path.string(), ": cannot hold rows of shape ", shape_text(shape_));
    row_bytes_ = static_cast<std::size_t>(*size);
    shape_.insert(shape_.begin(), std::numeric_limits<Index>::max());
    const std::string widest = npy::header(path_, dtype_, shape_);
    reserved_ = widest.size();
    shape_[0] = 0;
    file_.write(widest);
  }

  /// Appends one or more whole rows.
  void append(std::span<const std::byte> rows) {
    if (rows.size() % row_bytes_ != 0) {
      fail(path_.string(), ": ", rows.size(), " bytes are no whole rows of ", row_bytes_);
    }
    file_.write(rows);
    shape_[0] += static_cast<Index>(rows.size() / row_bytes_);
  }

  Index rows() const { return shape_[0]; }

  /// Writes the number of rows and gives the file its name.
  void commit() {
    file_.rewrite_begin(npy::header(path_, dtype_, shape_, reserved_));
    file_.commit();
  }

 private:
  std::filesystem::path path_;
  DType dtype_;
  std::vector<Index> shape_;
  AtomicFile file_;
  std::size_t row_bytes_ = 0;
  std::size_t reserved_ = 0;
};

/// Writes a tensor as a NumPy .npy file, whole or not at all. Throws Error when it is of bfloat16.
inline void write_npy(const std::filesystem::path& path, const StoredTensor& tensor) {
  AtomicFile file(path);
  file.write(npy::header(path, tensor.dtype, tensor.shape));
  file.write(tensor.bytes);
  file.commit();
}

}  // namespace vjepa
