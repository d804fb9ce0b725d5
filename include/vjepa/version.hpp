#pragma once

#include <string>

#include "vjepa/core/error.hpp"

// The one place that states the version; CMake reads it from here.
#define VJEPA_VERSION_MAJOR 0
#define VJEPA_VERSION_MINOR 1
#define VJEPA_VERSION_PATCH 0

namespace vjepa {

/// "1.2.3"
inline std::string version() {
  return text(VJEPA_VERSION_MAJOR, ".", VJEPA_VERSION_MINOR, ".", VJEPA_VERSION_PATCH);
}

}  // namespace vjepa
