#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/sha256.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

namespace detail {

template <class T>
Json spelled(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
template <class T>
Json spelled(const T& value) {
  return value;
}
inline Json spelled(const PretrainConfig::Mask& mask) {
  if (const auto* tube = std::get_if<RandomTube>(&mask)) return {{"ratio", tube->ratio}};
  const auto& blocks = std::get<Multiblock3d>(mask);
  return {{"num_blocks", blocks.num_blocks},
          {"spatial_scale", blocks.spatial_scale},
          {"aspect_ratio", blocks.aspect_ratio},
          {"temporal_scale", blocks.temporal_scale},
          {"max_temporal_keep", blocks.max_temporal_keep},
          {"max_keep", spelled(blocks.max_keep)},
          {"multiple_of", blocks.multiple_of}};
}

/// How many videos, and which.
inline std::string spelled(const VideoList& videos) {
  Sha256 sha;
  for (Index i = 0; i < videos.size(); ++i) {
    sha.add(videos.spelling(i));
    sha.add("\n");
  }
  return text(videos.size(), ", SHA-256 ", hex(sha.finish()).substr(0, 16));
}

}  // namespace detail

// What a checkpoint says of its run, so that the run when it is resumed, and other programs, know how it came about:
// under the keys of the YAML file, spelled as in it.

/// The model and the order of samples, without which it would be another run.
inline std::map<std::string, std::string> pretrain_identity(const PretrainConfig& config, Index iterations_per_epoch) {
  return {{"model.model_name", config.model.model_name},
          {"model.pred_depth", text(config.model.pred_depth)},
          {"model.pred_embed_dim", text(config.model.pred_embed_dim)},
          {"model.uniform_power", config.model.uniform_power ? "true" : "false"},
          {"data.patch_size", text(config.data.patch_size)},
          {"data.tubelet_size", text(config.data.tubelet_size)},
          {"data.crop_size", text(config.data.crop_size)},
          {"data.num_frames", text(config.data.num_frames)},
          {"data.batch_size", text(config.data.batch_size)},
          {"meta.dtype", config.meta.dtype == Precision::bfloat16 ? "bfloat16" : "float32"},
          {"meta.seed", text(config.meta.seed)},
          {"optimization.ipe", text(iterations_per_epoch)}};
}

/// What else its steps depend on.
inline std::map<std::string, std::string> pretrain_settings(const PretrainConfig& config, const VideoList& videos) {
  std::map<std::string, std::string> settings{{"videos", detail::spelled(videos)}};
  const auto add = [&](const std::string& key, const auto& value) { settings[key] = detail::spelled(value).dump(); };
  const auto& data = config.data;
  add("data.datasets_weights", data.datasets_weights);
  add("data.num_clips", data.num_clips);
  add("data.sampling_rate", data.sampling_rate);
  add("data.clip_duration", data.clip_duration);
  add("data.clip_part", data.clip_part);
  add("data.static_camera", data.static_camera);
  add("data.resize_on_device", data.resize_on_device);
  add("data.filter_short_videos", data.filter_short_videos);
  add("data.filter_long_videos", data.filter_long_videos);
  const auto& aug = config.data_aug;
  add("data_aug.auto_augment", aug.auto_augment);
  add("data_aug.motion_shift", aug.motion_shift);
  add("data_aug.random_horizontal_flip", aug.random_horizontal_flip);
  add("data_aug.random_resize_aspect_ratio", aug.random_resize_aspect_ratio);
  add("data_aug.random_resize_scale", aug.random_resize_scale);
  add("data_aug.reprob", aug.reprob);
  add("loss.loss_exp", config.loss.loss_exp);
  add("loss.reg_coeff", config.loss.reg_coeff);
  for (std::size_t i = 0; i < config.mask.size(); ++i) add("mask." + std::to_string(i), config.mask[i]);
  const auto& optimization = config.optimization;
  add("optimization.epochs", optimization.epochs);
  add("optimization.ipe_scale", optimization.ipe_scale);
  add("optimization.warmup", optimization.warmup);
  add("optimization.start_lr", optimization.start_lr);
  add("optimization.lr", optimization.lr);
  add("optimization.final_lr", optimization.final_lr);
  add("optimization.weight_decay", optimization.weight_decay);
  add("optimization.final_weight_decay", optimization.final_weight_decay);
  add("optimization.clip_grad", optimization.clip_grad);
  add("optimization.ema", optimization.ema);
  add("optimization.betas", optimization.betas);
  add("optimization.eps", optimization.eps);
  return settings;
}

}  // namespace vjepa
