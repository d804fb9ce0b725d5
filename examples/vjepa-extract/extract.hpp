#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/gpu.hpp"
#include "common/inputs.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"

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
  vjepa::Index stride = 0;            // 0: as trained
  std::optional<double> duration;     // seconds that a clip spans; replaces stride
  std::optional<double> part;         // of the video that a clip spans; replaces both, where a video is read whole
  std::optional<bool> static_camera;  // nothing, until it is known how the encoder was trained: as trained
  vjepa::Index segments = 1;
  vjepa::Index every = 0;  // 0: `segments` clips, spread evenly
  vjepa::Index limit = 0;  // clips of an input; 0: all

  std::string input_format;
  std::map<std::string, std::string> input_options;
  double timeout = 30;
  bool keep_up = false;

  std::vector<program::Input> inputs;
  vjepa::DecodingDevice decoder;
  std::string out;
  vjepa::Index batch = 8;
  int workers = 2;
  int threads = 0;
  std::function<bool()> interrupted;
};

/// The encoder on some device, and what becomes of its tokens, as the rest of the program sees it.
class AnyFeatures {
 public:
  virtual ~AnyFeatures() = default;
  AnyFeatures(const AnyFeatures&) = delete;
  AnyFeatures& operator=(const AnyFeatures&) = delete;

  /// The device, in words.
  virtual std::string device() const = 0;
  /// Of a clip's tokens.
  virtual vjepa::TokenGrid grid() const = 0;
  /// Features of a token.
  virtual vjepa::Index dim() const = 0;
  /// The blocks whose outputs are wanted.
  virtual const std::vector<vjepa::Index>& layers() const = 0;
  /// Tensors of the checkpoint that did not fit, where a part will do.
  virtual const vjepa::ParamDiff& diff() const = 0;

  /// Of clips [batch, channels, frames, height, width] of normalised pixels, for each layer a row a clip.
  virtual std::vector<std::vector<float>> operator()(std::span<const float> clips) = 0;

 protected:
  AnyFeatures() = default;
};

/// What is to be done with them. Returns the exit status.
using Extraction = std::function<int(AnyFeatures&)>;

// A file for each device, so that they compile side by side. Each offers the features of the checkpoint's encoder, and
// returns what `run` does. `probe` holds the probe of Pool::probe, and is null for others.
int extract_cpu_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                        const vjepa::Checkpoint* probe, const Extraction& run);
int extract_cpu_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                         const vjepa::Checkpoint* probe, const Extraction& run);
int extract_cuda_float32(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                         const vjepa::Checkpoint* probe, const program::Gpu& gpu, const Extraction& run);
int extract_cuda_bfloat16(const ExtractOptions& options, const vjepa::Checkpoint& checkpoint,
                          const vjepa::Checkpoint* probe, const program::Gpu& gpu, const Extraction& run);
