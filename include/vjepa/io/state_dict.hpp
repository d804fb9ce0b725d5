#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/official_names.hpp"
#include "vjepa/io/stored_tensor.hpp"

namespace vjepa {

/// Named tensors on their way to a file. Owns the values it is given.
class StateDict {
 public:
  StateDict() = default;
  StateDict(StateDict&&) = default;
  StateDict(const StateDict&) = delete;  // the tensors are views of its own values

  template <class T>
  void add(std::string name, std::vector<Index> shape, const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    storage_.emplace_back(bytes.begin(), bytes.end());
    tensors_.push_back({std::move(name), dtype_of<T>(), std::move(shape), storage_.back()});
  }

  /// A tensor whose bytes live elsewhere, and must until the file is written.
  void refer(const StoredTensor& tensor) { tensors_.push_back(tensor); }

  /// A copy of a tensor, each element rounded to `dtype`, which is f32, f16 or bf16. Throws Error on another, and when
  /// a finite element is too large for f16.
  void add_rounded(const StoredTensor& tensor, DType dtype) {
    const std::vector<float> values = tensor.as<float>();
    if (dtype == DType::f32) return add(tensor.name, tensor.shape, values);
    if (dtype != DType::f16 && dtype != DType::bf16) fail("vjepa::StateDict: cannot round to ", name_of(dtype));
    std::vector<std::byte>& bytes = storage_.emplace_back(2 * values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t bits = dtype == DType::f16 ? float_to_half(values[i]) : bf16(values[i]).bits;
      if (dtype == DType::f16 && std::isfinite(values[i]) && !std::isfinite(half_to_float(bits))) {
        fail("tensor '", tensor.name, "' holds ", values[i], ", more than float16 can; choose bfloat16");
      }
      std::memcpy(bytes.data() + 2 * i, &bits, sizeof(bits));
    }
    tensors_.push_back({tensor.name, dtype, tensor.shape, bytes});
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

/// How the tensors of a checkpoint fit the parameters of a model, a line for each that does not.
struct ParamDiff {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<std::string> other_shape;

  bool empty() const { return missing.empty() && unexpected.empty() && other_shape.empty(); }

  /// The lines, the first few of each kind where there are many.
  std::string text() const {
    std::string all;
    const auto add = [&](const char* kind, const std::vector<std::string>& lines) {
      constexpr std::size_t most = 60;
      for (std::size_t i = 0; i < std::min(most, lines.size()); ++i)
        all += std::string("\n  ") + kind + ": " + lines[i];
      if (lines.size() > most) all += vjepa::text("\n  ", kind, ": ", lines.size() - most, " more");
    };
    add("missing", missing);
    add("unexpected", unexpected);
    add("other shape", other_shape);
    return all;
  }
};

/// Compares the tensors named `prefix` + each parameter's name with the parameters. Fixed positions are no parameters.
inline ParamDiff compare_params(const Checkpoint& checkpoint, const std::string& prefix, const ParamLayout& layout) {
  ParamDiff diff;
  std::set<std::string> known;
  for (const ParamInfo& p : layout.params()) {
    const std::string& name = *known.insert(prefix + p.name).first;
    const StoredTensor* tensor = checkpoint.find(name);
    if (tensor == nullptr) {
      diff.missing.push_back(name + " " + shape_text(p.shape));
    } else if (tensor->shape != p.shape) {
      diff.other_shape.push_back(name + " is " + shape_text(tensor->shape) + ", the model wants " +
                                 shape_text(p.shape));
    }
  }
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    if (tensor.name.starts_with(prefix) && known.count(tensor.name) == 0 && !official::is_positions(tensor.name)) {
      diff.unexpected.push_back(tensor.name + " " + shape_text(tensor.shape));
    }
  }
  return diff;
}

/// Overwrites those parameters of a flat arena that the checkpoint has in their shape.
template <class T>
void read_matching_params(const Checkpoint& checkpoint, const std::string& prefix, const ParamLayout& layout,
                          std::vector<T>& arena) {
  for (const ParamInfo& p : layout.params()) {
    const StoredTensor* tensor = checkpoint.find(prefix + p.name);
    if (tensor == nullptr || tensor->shape != p.shape) continue;
    convert_elements<T>(tensor->dtype, tensor->bytes.data(),
                        std::span(arena).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.size)));
  }
}

/// A flat arena read from the tensors named `prefix` + each parameter's name, gaps zero. Throws Error that lists every
/// tensor that is missing, has another shape, or is none of the model's.
template <class T>
std::vector<T> read_params(const Checkpoint& checkpoint, const std::string& prefix, const ParamLayout& layout) {
  const ParamDiff diff = compare_params(checkpoint, prefix, layout);
  if (!diff.empty()) {
    fail(checkpoint.path().string(),
         ": does not hold this model; use the configuration it was made with:", diff.text());
  }
  std::vector<T> arena(static_cast<std::size_t>(layout.size()), T(0));
  read_matching_params(checkpoint, prefix, layout, arena);
  return arena;
}

}  // namespace vjepa
