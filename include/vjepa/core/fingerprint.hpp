#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "vjepa/core/device.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// A number for a sequence of calls of a device's functions with all their arguments. Two that differ in anything have
/// the same number in one case of 2^64.
class Fingerprint {
 public:
  /// What a device's function is given, as words; of memory, where it lies and not what it holds.
  class Argument {
   public:
    template <std::integral T>
    Argument(T value) {
      take(static_cast<std::uint64_t>(value));
    }
    Argument(double value) { take(std::bit_cast<std::uint64_t>(value)); }
    Argument(const void* memory) { take(reinterpret_cast<std::uintptr_t>(memory)); }
    template <class T, Index... E>
    Argument(const View<T, E...>& view) : Argument(static_cast<const void*>(view.data())) {
      take(static_cast<std::uint64_t>(view.stride()));
      for (int d = 0; d < view.rank; ++d) take(static_cast<std::uint64_t>(view.extent(d)));
    }
    Argument(const AttentionShape& s) {
      for (const Index size : {s.batch, s.heads, s.queries, s.keys, s.head_dim}) take(static_cast<std::uint64_t>(size));
    }
    Argument(const Tubelet& t) {
      for (const Index size : {t.frames, t.height, t.width}) take(static_cast<std::uint64_t>(size));
    }

    const std::uint64_t* begin() const { return words_.data(); }
    const std::uint64_t* end() const { return words_.data() + count_; }

   private:
    void take(std::uint64_t word) { words_[count_++] = word; }

    std::array<std::uint64_t, 7> words_;  // a view of five dimensions
    std::size_t count_ = 0;
  };

  std::uint64_t value() const { return value_; }

  void add_call(const char* function, std::initializer_list<Argument> arguments) {
    for (; *function != 0; ++function) add(static_cast<std::uint64_t>(*function));
    for (const Argument& argument : arguments) {
      for (const std::uint64_t word : argument) add(word);
    }
  }

 private:
  void add(std::uint64_t word) { value_ = mix(value_ ^ word); }

  std::uint64_t value_ = 0;
};

}  // namespace vjepa
