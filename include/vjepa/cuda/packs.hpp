#pragma once

#include <cstddef>
#include <cstdint>

#include "vjepa/core/view.hpp"

// Which memory is read and written in packs of 16 bytes.

namespace vjepa::cuda {

/// Whether every row of the view begins at a multiple of 16 bytes and is a whole number of them; so for an empty view.
template <class T, Index... E>
bool has_whole_packs(const View<T, E...>& view) {
  const auto whole = [](Index count) { return static_cast<std::size_t>(count) * sizeof(T) % 16 == 0; };
  const bool aligned = reinterpret_cast<std::uintptr_t>(view.data()) % 16 == 0;
  return aligned && whole(view.cols()) && (view.rank == 1 || whole(view.stride()));
}
template <class... Views>
bool whole_packs(const Views&... views) {
  return (has_whole_packs(views) && ...);
}

/// Calls body.template operator()<count>() with the values of S in 16 bytes when all views allow it, else with 1.
template <class S, class Body, class... Views>
void with_packs(Body&& body, const Views&... views) {
  if (whole_packs(views...)) {
    body.template operator()<static_cast<int>(16 / sizeof(S))>();
  } else {
    body.template operator()<1>();
  }
}

}  // namespace vjepa::cuda
