#pragma once

// What the module tests share: a double-precision device with room, and the proof with its tolerance.

#include "catch.hpp"
#include "vjepa/check/gradient.hpp"
#include "vjepa/core/arena.hpp"
#include "vjepa/cpu/cpu.hpp"

namespace vjepa::test {

using Proof = Cpu<double>;

struct Room {
  Proof::Context ctx{2};
  Arena<Proof> arena{ctx, std::size_t{64} << 20};
};

/// A wrong term shows in the first digits; rounding of a loss of some hundreds over a step of 1e-5 in the sixth.
inline void require_small(const GradientReport& report) {
  INFO(report.describe());
  REQUIRE(report.worst < 1e-5);
}

/// [rows, N] of a flat vector.
template <Index N, class T>
View<T, Dyn, N> rows(Vec<T> v) {
  return View<T, Dyn, N>(v.data(), v.size() / N);
}

}  // namespace vjepa::test
