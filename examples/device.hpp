#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <system_error>

#include "vjepa/core/error.hpp"

/// Which GPU --device names: N of `cuda:N`, the first for `cuda`, none for `cpu`. Throws Error for other names.
inline std::optional<int> cuda_device(const std::string& name) {
  if (name == "cpu") return std::nullopt;
  if (name == "cuda") return 0;
  int device = 0;
  const char* const end = name.data() + name.size();
  const bool numbered = name.starts_with("cuda:") && name.size() > 5 && name[5] != '-';
  if (numbered) {
    const auto [stop, error] = std::from_chars(name.data() + 5, end, device);
    if (stop == end && error == std::errc()) return device;
  }
  vjepa::fail("--device ", name, ": choose cpu, or a GPU by its number: cuda:0");
}
