#pragma once

#include <functional>

#include "common/gpu.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/probe_config.hpp"

/// A trained probe in its file, and the encoder that it was trained on.
struct ProbeSource {
  const vjepa::Checkpoint& probe;
  const vjepa::Checkpoint& encoder;
  const vjepa::ProbeConfig& config;
};

/// What is to be done with the probe on a device. False when some file could not be read.
using Classification = std::function<bool(vjepa::AnyProbe&)>;

// A file for each device, so that they compile side by side. Each offers the probe on `threads` threads (0: every core)
// or on a GPU, and returns what `run` does.
bool classify_cpu_float32(const ProbeSource& source, int threads, const Classification& run);
bool classify_cpu_bfloat16(const ProbeSource& source, int threads, const Classification& run);
bool classify_cuda_float32(const ProbeSource& source, const program::Gpu& gpu, const Classification& run);
bool classify_cuda_bfloat16(const ProbeSource& source, const program::Gpu& gpu, const Classification& run);
