#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/safetensors.hpp"

namespace vjepa {

/// Named tensors on their way to a file. Owns the values it is given.
class StateDict {
 public:
  template <class T>
  void add(std::string name, std::vector<Index> shape, const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    storage_.emplace_back(bytes.begin(), bytes.end());
    tensors_.push_back({std::move(name), dtype_of<T>(), std::move(shape), storage_.back()});
  }

  /// Each parameter of a flat arena, as `prefix` + its name.
  template <class T>
  void add_params(const std::string& prefix, const ParamLayout& layout, const std::vector<T>& arena) {
    for (const ParamInfo& p : layout.params()) {
      add(prefix + p.name, p.shape, std::vector<T>(arena.begin() + p.offset, arena.begin() + p.offset + p.size));
    }
  }

  std::span<const StoredTensor> tensors() const { return tensors_; }

 private:
  std::deque<std::vector<std::byte>> storage_;
  std::vector<StoredTensor> tensors_;
};

/// A flat arena read from the tensors named `prefix` + each parameter's name, gaps zero. Throws Error that lists every
/// tensor that is missing or has another shape.
template <class T>
std::vector<T> read_params(const SafetensorsFile& file, const std::string& prefix, const ParamLayout& layout) {
  std::vector<T> arena(static_cast<std::size_t>(layout.size()), T(0));
  std::string problems;
  for (const ParamInfo& p : layout.params()) {
    const StoredTensor* tensor = file.find(prefix + p.name);
    if (tensor == nullptr) {
      problems += "\n  missing: " + prefix + p.name + " " + shape_text(p.shape);
    } else if (tensor->shape != p.shape) {
      problems += "\n  other shape: " + prefix + p.name + " is " + shape_text(tensor->shape) + ", the model wants " +
                  shape_text(p.shape);
    } else {
      convert_elements<T>(
          tensor->dtype, tensor->bytes.data(),
          std::span(arena).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.size)));
    }
  }
  if (!problems.empty()) {
    fail(file.path().string(), ": does not hold this model; use the configuration it was made with:", problems);
  }
  return arena;
}

}  // namespace vjepa
