#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "vjepa/core/view.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

/// A frozen evaluation: which encoder, which labelled videos or images, how the probe on its tokens is trained. Names,
/// units and defaults are those of the official YAML; `data_aug`, `probe`, `logging` and `meta` are this library's own
/// sections, and their defaults give what the official code does.
struct ProbeConfig {
  enum class Kind { video, image };

  struct Data {
    std::string dataset_train;  // videos: a CSV list or a folder of class folders each
    std::string dataset_val;
    std::string root_path;  // images: root_path/image_folder/{train,val}/class/file
    std::string image_folder;
    Index num_classes = 0;
    Index frames_per_clip = 16;
    Index num_segments = 1;
    Index num_views_per_segment = 1;
    Index frame_step = 4;
    std::optional<double> clip_duration;             // seconds; replaces frame_step
    std::optional<std::array<double, 2>> clip_part;  // of the video, from least to most; replaces both. Our own key
    bool static_camera = false;                      // see only what moves; our own key
    Index resolution = 224;
    int num_workers = 1;
    std::string decode_on = "cpu";  // or hardware that FFmpeg knows, such as cuda:0; our own key
    std::string class_names;        // a file of a name a line; else the names of class folders, or numbers

    bool operator==(const Data&) const = default;
  };

  struct Optimization {
    bool attend_across_segments = false;
    Index num_epochs = 0;
    Index batch_size = 0;
    double weight_decay = 0;
    double final_weight_decay = 1e-6;
    double lr = 0;
    double start_lr = 0;
    double final_lr = 0;
    double warmup = 0;  // epochs
    double clip_grad = 1;
    Precision dtype = Precision::float32;

    bool operator==(const Optimization&) const = default;
  };

  struct Pretrain {
    std::string model_name;
    std::string checkpoint_key = "target_encoder";
    Index frames_per_clip = 16;  // the positions are made for so many
    Index tubelet_size = 2;
    Index patch_size = 16;
    bool uniform_power = false;
    std::string folder;
    std::string checkpoint;
    std::string write_tag;

    std::filesystem::path path() const { return std::filesystem::path(folder) / checkpoint; }
    bool operator==(const Pretrain&) const = default;
  };

  struct Probe {
    Index depth = 1;             // blocks of the attentive classifier
    bool use_pos_embed = false;  // add positions over the frames to the tokens of all segments
    bool linear = true;          // train a linear probe on mean tokens beside it
    bool knn = true;             // classify mean tokens by their nearest neighbours beside it
    Index knn_k = 20;
    double knn_temperature = 0.07;
    bool fixed_train_views = false;  // train on the views of an evaluation, so that the encoder runs once in all
    double cache_gb = 20;  // tokens of views that do not change are kept in the logging folder, if they take no more

    bool operator==(const Probe&) const = default;
  };

  Kind kind = Kind::video;
  std::string tag;
  bool resume_checkpoint = false;
  Data data;
  PretrainConfig::Augmentation data_aug{.auto_augment = true, .random_resize_scale = {0.08, 1.0}, .reprob = 0.25};
  Optimization optimization;
  Pretrain pretrain;
  Probe probe;
  std::string folder;  // of what the run writes
  std::uint64_t seed = 0;

  bool operator==(const ProbeConfig&) const = default;
};

/// The official name of a kind of evaluation.
inline const char* eval_name(ProbeConfig::Kind kind) {
  return kind == ProbeConfig::Kind::video ? "video_classification_frozen" : "image_classification_frozen";
}

}  // namespace vjepa
