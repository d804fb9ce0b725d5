#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vjepa/core/view.hpp"
#include "vjepa/mask/multiblock3d.hpp"
#include "vjepa/mask/random_tube.hpp"

namespace vjepa {

/// What the weights and activations of a run are held in.
enum class Precision { float32, bfloat16 };

/// A pretraining run. Names, units and defaults are those of the official YAML, section by section.
struct PretrainConfig {
  struct Data {
    std::vector<std::string> datasets;  // CSV lists or folders of videos
    std::optional<std::vector<double>> datasets_weights;
    Index batch_size = 0;
    Index num_clips = 1;
    Index num_frames = 16;
    Index tubelet_size = 2;
    Index sampling_rate = 4;
    std::optional<double> clip_duration;             // seconds; replaces sampling_rate
    std::optional<std::array<double, 2>> clip_part;  // of the video, from least to most; replaces both. Our own key
    bool static_camera = false;                      // see only what moves; our own key
    Index crop_size = 224;
    Index patch_size = 16;
    int num_workers = 1;
    // Workers cut clips out of their videos, and the device resizes them: memory follows the size of the videos. Our
    // own key.
    bool resize_on_device = false;
    std::string decode_on = "cpu";  // or hardware that FFmpeg knows, such as cuda:0; our own key
    bool filter_short_videos = false;
    std::optional<std::int64_t> filter_long_videos;  // bytes
    double cache_gb = 0;                             // decoded videos are kept in so much memory; our own key
    std::string mask_type = "multiblock3d";          // or random_tube; what the entries of `mask` are

    bool operator==(const Data&) const = default;
  };

  struct Augmentation {
    bool auto_augment = false;
    bool motion_shift = false;
    bool random_horizontal_flip = true;
    std::array<double, 2> random_resize_aspect_ratio = {3.0 / 4.0, 4.0 / 3.0};
    std::array<double, 2> random_resize_scale = {0.3, 1.0};
    double reprob = 0;

    bool operator==(const Augmentation&) const = default;
  };

  struct Logging {
    std::string folder;
    std::string write_tag = "jepa";

    bool operator==(const Logging&) const = default;
  };

  struct Loss {
    double loss_exp = 1;
    double reg_coeff = 0;

    bool operator==(const Loss&) const = default;
  };

  using Mask = std::variant<Multiblock3d, RandomTube>;

  struct Meta {
    bool load_checkpoint = false;
    std::optional<std::string> read_checkpoint;  // a file in the logging folder
    std::uint64_t seed = 0;
    Precision dtype = Precision::float32;
    std::optional<Index> save_every_freq;      // epochs between checkpoints that are kept
    std::optional<double> save_every_minutes;  // between checkpoints within an epoch
    Index skip_batches = 0;

    bool operator==(const Meta&) const = default;
  };

  struct Model {
    std::string model_name = "vit_base";
    Index pred_depth = 6;
    Index pred_embed_dim = 384;
    bool uniform_power = true;
    bool zero_init_mask_tokens = true;
    double init_std = 0.02;       // of weight matrices; our own key, like those below
    bool rescale_blocks = false;  // InitOptions::rescale_blocks
    // Of the encoder, the first so many compute their activations again in the backward pass, which takes less memory
    // and more time.
    Index recomputed_blocks = 0;

    bool operator==(const Model&) const = default;
  };

  struct Optimization {
    std::optional<Index> ipe;  // iterations per epoch; else the videos divided by the batch size
    double ipe_scale = 1;
    std::optional<double> clip_grad;
    double weight_decay = 0.04;
    double final_weight_decay = 0.4;
    Index epochs = 0;
    double warmup = 0;  // epochs
    double start_lr = 0;
    double lr = 0;
    double final_lr = 0;
    std::array<double, 2> ema = {0.998, 1.0};
    std::array<double, 2> betas = {0.9, 0.999};
    double eps = 1e-8;

    bool operator==(const Optimization&) const = default;
  };

  Data data;
  Augmentation data_aug;
  Logging logging;
  Loss loss;
  std::vector<Mask> mask;
  Meta meta;
  Model model;
  Optimization optimization;

  bool operator==(const PretrainConfig&) const = default;
};

}  // namespace vjepa
