#pragma once

// The one place that states the version; CMake reads it from here.
#define VJEPA_VERSION_MAJOR 0
#define VJEPA_VERSION_MINOR 1
#define VJEPA_VERSION_PATCH 0
