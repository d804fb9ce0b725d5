#pragma once

#include <functional>

#include "common/gpu.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/probe_config.hpp"

/// What is to be done with the probes of a device. False when interrupted.
using Evaluation = std::function<bool(const vjepa::MakeProbe&)>;

// A file for each device, so that they compile side by side. Each offers the configuration's probe on `threads` threads
// (0: every core) or on a GPU, and returns what `run` does.
bool probe_cpu_float32(const vjepa::ProbeConfig& config, int threads, const Evaluation& run);
bool probe_cpu_bfloat16(const vjepa::ProbeConfig& config, int threads, const Evaluation& run);
bool probe_cuda_float32(const vjepa::ProbeConfig& config, const program::Gpu& gpu, const Evaluation& run);
bool probe_cuda_bfloat16(const vjepa::ProbeConfig& config, const program::Gpu& gpu, const Evaluation& run);
