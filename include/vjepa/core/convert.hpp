#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace vjepa {

/// Calls put(piece, begin) with one piece of the values after the other as T, `begin` being the number of its first. A
/// piece stays in a processor's cache, so that converting what is copied anyway reads no more memory than copying it.
/// Where T is float, all of the values are one piece.
template <class T, class Put>
void convert_in_pieces(std::span<const float> values, Put&& put) {
  if constexpr (std::is_same_v<T, float>) {
    put(values, std::size_t{0});
  } else {
    constexpr std::size_t most = std::size_t{1} << 18;
    std::vector<T> piece(std::min(most, values.size()));
    for (std::size_t begin = 0; begin < values.size(); begin += most) {
      const std::size_t count = std::min(most, values.size() - begin);
      for (std::size_t i = 0; i < count; ++i) piece[i] = values[begin + i];
      put(std::span<const T>(piece.data(), count), begin);
    }
  }
}

}  // namespace vjepa
