#pragma once

#include <optional>
#include <string>

#include "vjepa/core/error.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/train/probe_config.hpp"

namespace vjepa {

namespace detail {

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

/// Calls field(key, value) for every setting, under the key of the YAML file.
template <class Config, class Field>
void each_setting(Config& c, Field&& field) {
  field("tag", c.tag);
  field("data.dataset_train", c.data.dataset_train);
  field("data.dataset_val", c.data.dataset_val);
  field("data.root_path", c.data.root_path);
  field("data.image_folder", c.data.image_folder);
  field("data.num_classes", c.data.num_classes);
  field("data.frames_per_clip", c.data.frames_per_clip);
  field("data.num_segments", c.data.num_segments);
  field("data.num_views_per_segment", c.data.num_views_per_segment);
  field("data.frame_step", c.data.frame_step);
  field("pretrain.clip_duration", c.data.clip_duration);
  field("data.clip_part", c.data.clip_part);
  field("data.static_camera", c.data.static_camera);
  field(c.kind == ProbeConfig::Kind::image ? "data.resolution" : "optimization.resolution", c.data.resolution);
  field("data_aug.auto_augment", c.data_aug.auto_augment);
  field("data_aug.motion_shift", c.data_aug.motion_shift);
  field("data_aug.random_horizontal_flip", c.data_aug.random_horizontal_flip);
  field("data_aug.random_resize_aspect_ratio", c.data_aug.random_resize_aspect_ratio);
  field("data_aug.random_resize_scale", c.data_aug.random_resize_scale);
  field("data_aug.reprob", c.data_aug.reprob);
  field("optimization.attend_across_segments", c.optimization.attend_across_segments);
  field("optimization.num_epochs", c.optimization.num_epochs);
  field("optimization.batch_size", c.optimization.batch_size);
  field("optimization.weight_decay", c.optimization.weight_decay);
  field("optimization.final_weight_decay", c.optimization.final_weight_decay);
  field("optimization.lr", c.optimization.lr);
  field("optimization.start_lr", c.optimization.start_lr);
  field("optimization.final_lr", c.optimization.final_lr);
  field("optimization.warmup", c.optimization.warmup);
  field("optimization.clip_grad", c.optimization.clip_grad);
  field("pretrain.model_name", c.pretrain.model_name);
  field("pretrain.checkpoint_key", c.pretrain.checkpoint_key);
  field("pretrain.frames_per_clip", c.pretrain.frames_per_clip);
  field("pretrain.tubelet_size", c.pretrain.tubelet_size);
  field("pretrain.patch_size", c.pretrain.patch_size);
  field("pretrain.uniform_power", c.pretrain.uniform_power);
  field("pretrain.folder", c.pretrain.folder);
  field("pretrain.checkpoint", c.pretrain.checkpoint);
  field("pretrain.write_tag", c.pretrain.write_tag);
  field("probe.depth", c.probe.depth);
  field("probe.use_pos_embed", c.probe.use_pos_embed);
  field("probe.linear", c.probe.linear);
  field("probe.knn", c.probe.knn);
  field("probe.knn_k", c.probe.knn_k);
  field("probe.knn_temperature", c.probe.knn_temperature);
  field("probe.fixed_train_views", c.probe.fixed_train_views);
  field("meta.seed", c.seed);
}

}  // namespace detail

/// The settings of a run that its results depend on, under the keys of the YAML file.
inline Json probe_settings(const ProbeConfig& config) {
  Json json;
  json["eval_name"] = eval_name(config.kind);
  json["optimization.use_bfloat16"] = config.optimization.dtype == Precision::bfloat16;
  detail::each_setting(config, [&]<class T>(const char* key, const T& value) {
    if constexpr (detail::is_optional<T>) {
      json[key] = value ? Json(*value) : Json(nullptr);
    } else {
      json[key] = value;
    }
  });
  return json;
}

/// The configuration whose settings these are. Throws Error that names `file` when one is missing or of another type.
inline ProbeConfig read_probe_settings(const std::string& settings, const std::string& file) {
  ProbeConfig config;
  try {
    const Json json = Json::parse(settings);
    config.kind = json.at("eval_name") == eval_name(ProbeConfig::Kind::image) ? ProbeConfig::Kind::image
                                                                              : ProbeConfig::Kind::video;
    config.optimization.dtype =
        json.at("optimization.use_bfloat16").get<bool>() ? Precision::bfloat16 : Precision::float32;
    detail::each_setting(config, [&]<class T>(const char* key, T& value) {
      const Json& stored = json.at(key);
      if constexpr (detail::is_optional<T>) {
        if (!stored.is_null()) value = stored.get<typename T::value_type>();
      } else {
        value = stored.get<T>();
      }
    });
  } catch (const Json::exception& e) {
    fail(file, ": its settings cannot be read: ", e.what());
  }
  return config;
}

}  // namespace vjepa
