#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/io/dtype.hpp"

namespace vjepa {

static_assert(std::endian::native == std::endian::little, "vjepa: checkpoint files are little-endian");

/// A tensor as a file holds it: contiguous, row-major, elements at any alignment.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<Index> shape;
  std::span<const std::byte> bytes;

  std::size_t size() const { return bytes.size() / size_of(dtype); }

  /// A copy of the elements, converted.
  template <class T>
  std::vector<T> as() const {
    std::vector<T> values(size());
    convert_elements<T>(dtype, bytes.data(), values);
    return values;
  }
};

/// The bytes that the elements of a shape take, or nothing when they are more than `limit`. Sizes must not be negative.
inline std::optional<std::uint64_t> bytes_of_shape(DType dtype, const std::vector<Index>& shape, std::uint64_t limit) {
  std::uint64_t size = size_of(dtype);
  for (const Index n : shape) {
    if (n == 0) return 0;
  }
  for (const Index n : shape) {
    if (static_cast<std::uint64_t>(n) > limit / size) return std::nullopt;
    size *= static_cast<std::uint64_t>(n);
  }
  if (size > limit) return std::nullopt;
  return size;
}

/// "[3, 4]"
inline std::string shape_text(const std::vector<Index>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

}  // namespace vjepa
