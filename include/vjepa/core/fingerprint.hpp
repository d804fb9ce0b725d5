#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

#include "vjepa/core/device.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// A number for a sequence of calls of a device's functions with all their arguments. Two that differ in anything have
/// the same number in one case of 2^64.
class Fingerprint {
 public:
  std::uint64_t value() const { return value_; }

  template <class... Arguments>
  void add_call(const char* name, const Arguments&... arguments) {
    for (; *name != 0; ++name) add(*name);
    (add(arguments), ...);
  }

  template <std::integral T>
  void add(T argument) {
    value_ = mix(value_ ^ static_cast<std::uint64_t>(argument));
  }
  void add(double argument) { add(std::bit_cast<std::uint64_t>(argument)); }
  /// Where the memory lies, not what it holds.
  void add(const void* argument) { add(reinterpret_cast<std::uintptr_t>(argument)); }
  template <class T, Index... E>
  void add(const View<T, E...>& argument) {
    add(static_cast<const void*>(argument.data()));
    add(argument.stride());
    for (int d = 0; d < argument.rank; ++d) add(argument.extent(d));
  }
  void add(const AttentionShape& s) {
    for (const Index size : {s.batch, s.heads, s.queries, s.keys, s.head_dim}) add(size);
  }
  void add(const Tubelet& t) {
    for (const Index size : {t.frames, t.height, t.width}) add(size);
  }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace vjepa
