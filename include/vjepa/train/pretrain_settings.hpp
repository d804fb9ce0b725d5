#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "vjepa/io/json.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

namespace detail {

inline Json spelled(const PretrainConfig::Mask& mask) {
  if (const auto* tube = std::get_if<RandomTube>(&mask)) return {{"ratio", tube->ratio}};
  const auto& blocks = std::get<Multiblock3d>(mask);
  return {{"num_blocks", blocks.num_blocks},
          {"spatial_scale", blocks.spatial_scale},
          {"aspect_ratio", blocks.aspect_ratio},
          {"temporal_scale", blocks.temporal_scale},
          {"max_temporal_keep", blocks.max_temporal_keep},
          {"max_keep", blocks.max_keep ? Json(*blocks.max_keep) : Json()},
          {"multiple_of", blocks.multiple_of}};
}
template <class T>
Json spelled(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
template <class T>
Json spelled(const T& value) {
  return value;
}

}  // namespace detail

/// What the steps of a run depend on, beside the model, its seed and the sizes of its clips and batches, under the keys
/// of the YAML file and spelled as in it: what a checkpoint says, so that a resumed run and other programs know how it
/// came about.
inline std::map<std::string, std::string> pretrain_settings(const PretrainConfig& config) {
  std::map<std::string, std::string> settings;
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
