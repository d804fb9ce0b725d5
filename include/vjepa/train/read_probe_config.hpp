#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "vjepa/config/yaml.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/read_pretrain_config.hpp"

namespace vjepa {

namespace detail {

inline ProbeConfig::Data read_probe_data(YamlSection s, ProbeConfig::Kind kind) {
  ProbeConfig::Data d;
  if (kind == ProbeConfig::Kind::video) {
    const auto type = s.get<std::string>("dataset_type", "VideoDataset");
    if (type != "VideoDataset" && type != "videodataset") {
      s.reject("dataset_type", "is '", type, "'; this evaluation reads VideoDataset alone");
    }
    d.dataset_train = s.required<std::string>("dataset_train");
    d.dataset_val = s.required<std::string>("dataset_val");
    d.frames_per_clip = s.get<Index>("frames_per_clip", d.frames_per_clip);
    d.num_segments = s.get<Index>("num_segments", d.num_segments);
    d.num_views_per_segment = s.get<Index>("num_views_per_segment", d.num_views_per_segment);
    d.frame_step = s.get<Index>("frame_step", d.frame_step);
    d.clip_part = read_clip_part(s);
    d.static_camera = s.get<bool>("static_camera", d.static_camera);
  } else {
    d.root_path = s.required<std::string>("root_path");
    d.image_folder = s.required<std::string>("image_folder");
    d.resolution = s.get<Index>("resolution", d.resolution);
    s.unused("dataset_name", "has no effect: an image set is a folder of class folders, whatever its name");
  }
  d.num_classes = s.required<Index>("num_classes");
  d.num_workers = s.get<int>("num_workers", d.num_workers);
  d.decode_on = s.get<std::string>("decode_on", d.decode_on);
  d.class_names = s.get<std::string>("class_names", d.class_names);
  check_counts(s, {{"frames_per_clip", d.frames_per_clip},
                   {"num_segments", d.num_segments},
                   {"num_views_per_segment", d.num_views_per_segment},
                   {"frame_step", d.frame_step},
                   {"resolution", d.resolution},
                   {"num_classes", d.num_classes}});
  check_workers(s, d.num_workers);
  s.finish();
  return d;
}

/// `resolution`: the official video evaluations name it here, the image evaluations among the data.
inline ProbeConfig::Optimization read_probe_optimization(YamlSection s, ProbeConfig::Kind kind, Index& resolution) {
  ProbeConfig::Optimization o;
  if (kind == ProbeConfig::Kind::video) {
    o.attend_across_segments = s.get<bool>("attend_across_segments", o.attend_across_segments);
    resolution = s.get<Index>("resolution", resolution);
  }
  o.num_epochs = s.required<Index>("num_epochs");
  o.batch_size = s.required<Index>("batch_size");
  o.weight_decay = s.required<double>("weight_decay");
  o.final_weight_decay = s.get<double>("final_weight_decay", o.final_weight_decay);
  o.lr = s.required<double>("lr");
  o.start_lr = s.required<double>("start_lr");
  o.final_lr = s.required<double>("final_lr");
  o.warmup = s.get<double>("warmup", o.warmup);
  o.clip_grad = s.get<double>("clip_grad", o.clip_grad);
  o.dtype = s.get<bool>("use_bfloat16", false) ? Precision::bfloat16 : Precision::float32;
  check_counts(s, {{"num_epochs", o.num_epochs}, {"batch_size", o.batch_size}, {"resolution", resolution}});
  for (const auto& [key, value] : {std::pair<const char*, double>{"weight_decay", o.weight_decay},
                                   {"final_weight_decay", o.final_weight_decay},
                                   {"lr", o.lr},
                                   {"start_lr", o.start_lr},
                                   {"final_lr", o.final_lr},
                                   {"warmup", o.warmup}}) {
    if (value < 0) s.reject(key, "is ", value, "; it must not be negative");
  }
  if (o.clip_grad <= 0) s.reject("clip_grad", "is ", o.clip_grad, "; it must be above 0");
  s.finish();
  return o;
}

/// `clip_duration`: the official evaluations name it here, and it is that of the evaluation's clips.
inline ProbeConfig::Pretrain read_probe_pretrain(YamlSection s, std::optional<double>& clip_duration) {
  ProbeConfig::Pretrain p;
  p.model_name = s.required<std::string>("model_name");
  p.checkpoint_key = s.get<std::string>("checkpoint_key", p.checkpoint_key);
  clip_duration = read_clip_duration(s);
  p.frames_per_clip = s.get<Index>("frames_per_clip", p.frames_per_clip);
  p.tubelet_size = s.get<Index>("tubelet_size", p.tubelet_size);
  p.patch_size = s.get<Index>("patch_size", p.patch_size);
  p.uniform_power = s.get<bool>("uniform_power", p.uniform_power);
  p.folder = s.required<std::string>("folder");
  p.checkpoint = s.required<std::string>("checkpoint");
  p.write_tag = s.required<std::string>("write_tag");
  check_counts(
      s, {{"frames_per_clip", p.frames_per_clip}, {"tubelet_size", p.tubelet_size}, {"patch_size", p.patch_size}});
  if (p.frames_per_clip % p.tubelet_size != 0) {
    s.reject("frames_per_clip", "is ", p.frames_per_clip, ", no multiple of tubelet_size ", p.tubelet_size);
  }
  if (p.write_tag.empty() || p.write_tag.find('/') != std::string::npos) {
    s.reject("write_tag", "is '", p.write_tag, "'; it begins file names in the folder and must not hold a '/'");
  }
  for (const char* key : {"use_silu", "tight_silu"}) {
    if (s.get<bool>(key, false)) s.reject(key, "is true; this library's transformers have GELU alone");
  }
  s.unused("use_sdpa", "has no effect: attention never holds a square of scores");
  s.finish();
  return p;
}

/// As for pretraining, but what the file does not set is `otherwise`.
inline PretrainConfig::Augmentation read_probe_augmentation(const YamlSection& s,
                                                            const PretrainConfig::Augmentation& otherwise) {
  PretrainConfig::Augmentation a = read_augmentation(s);
  if (!s.has("auto_augment")) a.auto_augment = otherwise.auto_augment;
  if (!s.has("random_horizontal_flip")) a.random_horizontal_flip = otherwise.random_horizontal_flip;
  if (!s.has("random_resize_scale")) a.random_resize_scale = otherwise.random_resize_scale;
  if (!s.has("reprob")) a.reprob = otherwise.reprob;
  return a;
}

inline ProbeConfig::Probe read_probe(YamlSection s) {
  ProbeConfig::Probe p;
  p.depth = s.get<Index>("depth", p.depth);
  p.use_pos_embed = s.get<bool>("use_pos_embed", p.use_pos_embed);
  p.linear = s.get<bool>("linear", p.linear);
  p.knn = s.get<bool>("knn", p.knn);
  p.knn_k = s.get<Index>("knn_k", p.knn_k);
  p.knn_temperature = s.get<double>("knn_temperature", p.knn_temperature);
  p.fixed_train_views = s.get<bool>("fixed_train_views", p.fixed_train_views);
  p.cache_gb = s.get<double>("cache_gb", p.cache_gb);
  check_counts(s, {{"depth", p.depth}, {"knn_k", p.knn_k}});
  if (p.cache_gb < 0) s.reject("cache_gb", "is ", p.cache_gb, "; it must not be negative, and 0 keeps nothing");
  if (p.knn_temperature <= 0) s.reject("knn_temperature", "is ", p.knn_temperature, "; it must be above 0");
  s.finish();
  return p;
}

/// Warns of keys that are read and that what other keys say leaves without effect.
inline void warn_of_unused(YamlSection& root, const ProbeConfig& config) {
  const bool image = config.kind == ProbeConfig::Kind::image;
  YamlSection data = root.section("data");
  YamlSection pretrain = root.section("pretrain");
  YamlSection aug = root.section("data_aug");
  YamlSection probe = root.section("probe");
  const bool duration = config.data.clip_duration.has_value();
  if (image && duration) pretrain.warn("clip_duration", "has no effect on images");
  if (config.data.clip_part) {
    if (duration) pretrain.warn("clip_duration", "has no effect beside data.clip_part");
    if (data.has("frame_step")) data.warn("frame_step", "has no effect beside data.clip_part");
  } else if (duration && data.has("frame_step")) {
    data.warn("frame_step", "has no effect beside pretrain.clip_duration");
  }
  if (image && config.data_aug.motion_shift) aug.warn("motion_shift", "has no effect on images");
  if (config.probe.use_pos_embed && !config.optimization.attend_across_segments) {
    probe.warn("use_pos_embed", "has no effect without optimization.attend_across_segments");
  }
  if (config.probe.fixed_train_views && root.has("data_aug")) {
    root.warn("data_aug", "has no effect with probe.fixed_train_views, whose views are those of validation");
  }
}

}  // namespace detail

/// Reads the configuration of a frozen evaluation. Every key is used, or named in a warning of the section; throws
/// Error for a key that is unknown, of another type, or out of range.
inline ProbeConfig read_probe_config(YamlSection& root) {
  ProbeConfig config;
  const auto name = root.required<std::string>("eval_name");
  if (name == eval_name(ProbeConfig::Kind::image)) {
    config.kind = ProbeConfig::Kind::image;
  } else if (name != eval_name(ProbeConfig::Kind::video)) {
    root.reject("eval_name", "is '", name, "'; choose ", eval_name(ProbeConfig::Kind::video), " or ",
                eval_name(ProbeConfig::Kind::image));
  }
  root.unused("nodes", "has no effect: a run is one process");
  root.unused("tasks_per_node", "has no effect: a run is one process");
  config.tag = root.get<std::string>("tag", "");
  config.resume_checkpoint = root.get<bool>("resume_checkpoint", false);
  config.data = detail::read_probe_data(root.section("data"), config.kind);
  config.optimization =
      detail::read_probe_optimization(root.section("optimization"), config.kind, config.data.resolution);
  config.pretrain = detail::read_probe_pretrain(root.section("pretrain"), config.data.clip_duration);
  // As in the official evaluations: what moves to the left in a video does not move to the right.
  config.data_aug.random_horizontal_flip = config.kind == ProbeConfig::Kind::image;
  config.data_aug = detail::read_probe_augmentation(root.section("data_aug"), config.data_aug);
  config.probe = detail::read_probe(root.section("probe"));
  if (config.kind == ProbeConfig::Kind::image) config.data.frames_per_clip = config.pretrain.frames_per_clip;
  detail::warn_of_unused(root, config);
  if (config.data.frames_per_clip % config.pretrain.tubelet_size != 0) {
    root.reject("data", "has frames_per_clip ", config.data.frames_per_clip, ", no multiple of pretrain.tubelet_size ",
                config.pretrain.tubelet_size);
  }
  if (config.data.resolution % config.pretrain.patch_size != 0) {
    root.reject("optimization", "or 'data' has resolution ", config.data.resolution,
                ", no multiple of pretrain.patch_size ", config.pretrain.patch_size);
  }
  detail::check_pixels(root.section(config.kind == ProbeConfig::Kind::video ? "optimization" : "data"), "resolution",
                       config.data.frames_per_clip, config.data.resolution);
  YamlSection logging = root.section("logging");
  config.folder = logging.get<std::string>(
      "folder", (std::filesystem::path(config.pretrain.folder) / eval_name(config.kind) / config.tag).string());
  logging.finish();
  YamlSection meta = root.section("meta");
  config.seed = meta.get<std::uint64_t>("seed", 0);
  meta.finish();
  root.finish();
  return config;
}

}  // namespace vjepa
