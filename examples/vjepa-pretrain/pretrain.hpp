#pragma once

#include <functional>

#include "common/gpu.hpp"
#include "vjepa/train/any_pretrainer.hpp"
#include "vjepa/train/pretrain_config.hpp"

/// What is to be done with pretrainers of a device. False when interrupted.
using Pretraining = std::function<bool(const vjepa::MakePretrainer&)>;

// A file for each device, so that they compile side by side. Each offers the configuration's pretrainer on `threads`
// threads (0: every core) or on a GPU, and returns what `run` does.
bool pretrain_cpu_float32(const vjepa::PretrainConfig& config, int threads, const Pretraining& run);
bool pretrain_cpu_bfloat16(const vjepa::PretrainConfig& config, int threads, const Pretraining& run);
bool pretrain_cuda_float32(const vjepa::PretrainConfig& config, const program::Gpu& gpu, const Pretraining& run);
bool pretrain_cuda_bfloat16(const vjepa::PretrainConfig& config, const program::Gpu& gpu, const Pretraining& run);
