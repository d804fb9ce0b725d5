#pragma once

// Reading reference tensors and comparing with them.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/arena.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"

namespace vjepa::test {

/// |a - b| / |b| over whole tensors, by the Euclidean norm.
template <class A, class B>
double relative_error(const A& a, const B& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double expected = static_cast<double>(b[i]);
    const double d = static_cast<double>(a[i]) - expected;
    difference += d * d;
    size += expected * expected;
  }
  return std::sqrt(difference / std::max(size, 1e-30));
}

template <class T>
std::vector<T> param_of(const std::vector<T>& values, const ParamInfo& p) {
  return {values.begin() + p.offset, values.begin() + p.offset + p.size};
}

}  // namespace vjepa::test
