#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vjepa/io/pickle.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/io/zip_writer.hpp"

namespace vjepa {

/// Writes what torch.save would: a zip archive of a pickle (protocol 2) and a file for each tensor, which
/// torch.load(weights_only=True) accepts.
class TorchWriter {
 public:
  using Value = pickle::Value;

  /// The tensor's bytes must live until `write`.
  Value tensor(const StoredTensor& stored) {
    auto result = std::make_shared<pickle::Tensor>();
    result->storage = {stored.dtype, std::make_shared<std::string>(std::to_string(storages_.size())),
                       static_cast<std::int64_t>(stored.size())};
    result->shape = stored.shape;
    result->strides.resize(stored.shape.size());
    Index stride = 1;
    for (std::size_t d = stored.shape.size(); d-- > 0; stride *= stored.shape[d]) result->strides[d] = stride;
    storages_.push_back(stored.bytes);
    return std::shared_ptr<const pickle::Tensor>(std::move(result));
  }
  /// A tensor of one number, without dimensions.
  Value scalar(float number) {
    const auto bytes = std::as_bytes(std::span(&numbers_.emplace_back(number), 1));
    return tensor({.name = {}, .dtype = DType::f32, .shape = {}, .bytes = bytes});
  }

  static Value text(std::string_view characters) { return std::make_shared<const std::string>(characters); }
  static Value container(pickle::Container::Kind kind, std::vector<Value> items) {
    auto result = std::make_shared<pickle::Container>();
    result->kind = kind;
    result->items = std::move(items);
    return result;
  }

  /// Writes the file, whole or not at all.
  void write(const std::filesystem::path& path, const Value& root) {
    out_ = "\x80\x02";
    put(root);
    out_ += '.';
    ZipWriter zip(path);
    const std::string folder = path.stem().string() + "/";
    zip.add(folder + "data.pkl", out_);
    zip.add(folder + "byteorder", "little");
    for (std::size_t i = 0; i < storages_.size(); ++i) zip.add(folder + "data/" + std::to_string(i), storages_[i]);
    zip.add(folder + "version", "3\n");
    zip.commit();
  }

 private:
  template <class T>
  void put_bytes(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) out_ += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  void put(pickle::None) { out_ += 'N'; }
  void put(bool value) { out_ += value ? '\x88' : '\x89'; }
  void put(std::int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX) {
      out_ += 'J';
      put_bytes(static_cast<std::uint32_t>(value));
    } else {
      out_ += "\x8a\x08";
      put_bytes(static_cast<std::uint64_t>(value));
    }
  }
  void put(double value) {
    out_ += 'G';
    put_bytes(__builtin_bswap64(std::bit_cast<std::uint64_t>(value)));
  }
  void put(const pickle::Text& value) { put_text(*value); }
  void put_text(std::string_view value) {
    out_ += 'X';
    put_bytes(static_cast<std::uint32_t>(value.size()));
    out_ += value;
  }
  void put(const pickle::Global& value) { put_global(*value.name); }
  void put_global(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    out_ += 'c';
    out_ += name.substr(0, dot);
    out_ += '\n';
    out_ += name.substr(dot + 1);
    out_ += '\n';
  }
  void put(const pickle::Storage& value) {
    out_ += '(';
    put_text("storage");
    for (const auto& [name, dtype] : pickle::storage_types) {
      if (dtype == value.dtype) put_global(name);
    }
    put_text(*value.key);
    put_text("cpu");
    put(value.size);
    out_ += "tQ";
  }
  void put(const std::shared_ptr<const pickle::Tensor>& value) {
    put_global("torch._utils._rebuild_tensor_v2");
    out_ += '(';
    put(value->storage);
    put(value->offset);
    for (const std::vector<Index>* numbers : {&value->shape, &value->strides}) {
      out_ += '(';
      for (const Index n : *numbers) put(static_cast<std::int64_t>(n));
      out_ += 't';
    }
    put(false);  // requires_grad
    put_global("collections.OrderedDict");
    out_ += ")RtR";
  }
  void put(const std::shared_ptr<pickle::Container>& value) {
    using Kind = pickle::Container::Kind;
    out_ += value->kind == Kind::dict ? "}(" : value->kind == Kind::list ? "](" : "(";
    for (const Value& item : value->items) put(item);
    out_ += value->kind == Kind::dict ? 'u' : value->kind == Kind::list ? 'e' : 't';
  }
  void put(const Value& value) {
    std::visit([&](const auto& what) { put(what); }, value);
  }

  std::string out_;
  std::deque<float> numbers_;
  std::vector<std::span<const std::byte>> storages_;
};

}  // namespace vjepa
