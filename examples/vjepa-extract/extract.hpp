#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/gpu.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/io/checkpoint.hpp"

/// What becomes of the tokens of a clip.
enum class Pool { mean, tokens, probe };

/// What the command line asks for.
struct ExtractOptions {
  std::string checkpoint;
  std::string checkpoint_key;
  std::string model;
  vjepa::Index patch = 0;
  vjepa::Index tubelet = 0;
  bool partial = false;
  bool interpolate = false;                // the trained positions, for clips of another size
  std::optional<vjepa::ClipSize> trained;  // the clips that the checkpoint's encoder was trained on
  std::vector<vjepa::Index> layers;
  Pool pool = Pool::mean;
  std::string probe;  // the checkpoint of Pool::probe

  vjepa::Index size = 0;
  vjepa::Index window = 0;
  vjepa::Index stride = 4;
  vjepa::Index segments = 1;
  vjepa::Index every = 0;  // 0: `segments` clips, spread evenly
  vjepa::Index limit = 0;  // clips of an input; 0: all

  std::string input_format;
  std::map<std::string, std::string> input_options;
  double timeout = 30;
  bool keep_up = false;

  std::vector<std::string> inputs;
  vjepa::DecodingDevice decoder;
  std::string out;
  vjepa::Index batch = 8;
  int workers = 2;
  int threads = 0;
  std::function<bool()> interrupted;
};

// A file for each device, so that they compile side by side. Each returns the exit status.
int extract_cpu_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint);
int extract_cpu_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint);
int extract_cuda_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, const program::Gpu& gpu);
int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint, const program::Gpu& gpu);
