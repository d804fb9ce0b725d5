#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/config/yaml.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

namespace detail {

/// Throws Error unless each of the values is at least 1, and none is so large that sizes made of them overflow.
inline void check_counts(const YamlSection& s, std::initializer_list<std::pair<const char*, Index>> values) {
  constexpr Index most = 1 << 20;
  for (const auto& [key, value] : values) {
    if (value < 1 || value > most) s.reject(key, "is ", value, "; it must be at least 1, and at most ", most);
  }
}

inline void check_workers(const YamlSection& s, int workers) {
  if (workers >= 0 && workers <= 1024) return;
  s.reject("num_workers", "is ", workers, "; it must not be negative, and at most 1024");
}

/// Throws Error when a clip of so many frames of `side` pixels is absurd; `key` says the side.
inline void check_pixels(const YamlSection& s, const char* key, Index frames, Index side) {
  constexpr Index most = 1 << 28;
  if (frames * side * side <= most) return;
  s.reject(key, "is ", side, "; with ", frames, " frames a clip has more than ", most, " pixels");
}

/// A pair that gives the least and the most of a positive quantity.
inline void check_range(const YamlSection& s, const char* key, const std::array<double, 2>& range, double most) {
  if (0 < range[0] && range[0] <= range[1] && range[1] <= most) return;
  s.reject(key, "is [", range[0], ", ", range[1], "]; it must rise, above 0 and up to ", most);
}

/// Null or the seconds that a clip spans.
inline std::optional<double> read_clip_duration(YamlSection& s) {
  const auto duration = s.find<double>("clip_duration");
  if (duration && !(*duration > 0)) s.reject("clip_duration", "is ", *duration, "; it must be above 0");
  return duration;
}

/// Null or a pair: the least and the most of a video that a clip spans.
inline std::optional<std::array<double, 2>> read_clip_part(YamlSection& s) {
  const auto part = s.find<std::array<double, 2>>("clip_part");
  if (part) check_range(s, "clip_part", *part, 1);
  return part;
}

/// How often each of the data sets is drawn, in proportion.
inline void check_weights(const YamlSection& s, const std::vector<double>& weights, std::size_t datasets) {
  const char* const key = "datasets_weights";
  if (weights.size() != datasets) s.reject(key, "has ", weights.size(), " values for ", datasets, " datasets");
  double total = 0;
  for (const double w : weights) {
    if (!(w >= 0)) s.reject(key, "holds ", w, "; a weight must not be negative");
    total += w;
  }
  if (!(total > 0) || !std::isfinite(total)) s.reject(key, "adds up to ", total, "; it must be above 0 and finite");
}

inline PretrainConfig::Data read_data(YamlSection s) {
  PretrainConfig::Data d;
  const auto type = s.get<std::string>("dataset_type", "VideoDataset");
  if (type != "VideoDataset" && type != "videodataset") {
    s.reject("dataset_type", "is '", type, "'; pretraining reads VideoDataset alone");
  }
  d.datasets = s.get<std::vector<std::string>>("datasets", {});
  d.datasets_weights = s.find<std::vector<double>>("datasets_weights");
  if (d.datasets_weights) check_weights(s, *d.datasets_weights, d.datasets.size());
  d.batch_size = s.required<Index>("batch_size");
  d.num_clips = s.get<Index>("num_clips", d.num_clips);
  d.num_frames = s.get<Index>("num_frames", d.num_frames);
  d.tubelet_size = s.get<Index>("tubelet_size", d.tubelet_size);
  d.sampling_rate = s.get<Index>("sampling_rate", d.sampling_rate);
  d.clip_duration = read_clip_duration(s);
  d.clip_part = read_clip_part(s);
  d.static_camera = s.get<bool>("static_camera", d.static_camera);
  d.crop_size = s.get<Index>("crop_size", d.crop_size);
  d.patch_size = s.get<Index>("patch_size", d.patch_size);
  d.num_workers = s.get<int>("num_workers", d.num_workers);
  d.resize_on_device = s.get<bool>("resize_on_device", d.resize_on_device);
  d.decode_on = s.get<std::string>("decode_on", d.decode_on);
  d.filter_short_videos = s.get<bool>("filter_short_videos", d.filter_short_videos);
  d.filter_long_videos = s.find<std::int64_t>("filter_long_videos");
  d.cache_gb = s.get<double>("cache_gb", d.cache_gb);
  check_counts(s, {{"batch_size", d.batch_size},
                   {"num_clips", d.num_clips},
                   {"num_frames", d.num_frames},
                   {"tubelet_size", d.tubelet_size},
                   {"sampling_rate", d.sampling_rate},
                   {"crop_size", d.crop_size},
                   {"patch_size", d.patch_size}});
  check_pixels(s, "crop_size", d.num_frames, d.crop_size);
  if (d.resize_on_device && d.static_camera) {
    s.reject("resize_on_device", "does not go with static_camera, which changes resized pixels; set one to false");
  }
  check_workers(s, d.num_workers);
  if (d.cache_gb < 0) s.reject("cache_gb", "is ", d.cache_gb, "; it must not be negative, and 0 keeps nothing");
  if (d.crop_size % d.patch_size != 0) {
    s.reject("crop_size", "is ", d.crop_size, ", no multiple of patch_size ", d.patch_size);
  }
  if (d.num_frames % d.tubelet_size != 0) {
    s.reject("num_frames", "is ", d.num_frames, ", no multiple of tubelet_size ", d.tubelet_size);
  }
  s.unused("decode_one_clip", "has no effect: one decoding serves all clips of a video");
  s.unused("pin_mem", "has no effect on this device");
  s.unused("log_resource_utilization", "has no effect: there are no worker processes");
  d.mask_type = s.get<std::string>("mask_type", d.mask_type);
  if (d.mask_type != "multiblock3d" && d.mask_type != "random_tube") {
    s.reject("mask_type", "is '", d.mask_type, "'; choose multiblock3d or random_tube");
  }
  s.finish();
  return d;
}

inline PretrainConfig::Augmentation read_augmentation(YamlSection s) {
  PretrainConfig::Augmentation a;
  a.auto_augment = s.get<bool>("auto_augment", a.auto_augment);
  a.motion_shift = s.get<bool>("motion_shift", a.motion_shift);
  a.random_horizontal_flip = s.get<bool>("random_horizontal_flip", a.random_horizontal_flip);
  a.random_resize_aspect_ratio =
      s.get<std::array<double, 2>>("random_resize_aspect_ratio", a.random_resize_aspect_ratio);
  a.random_resize_scale = s.get<std::array<double, 2>>("random_resize_scale", a.random_resize_scale);
  a.reprob = s.get<double>("reprob", a.reprob);
  check_range(s, "random_resize_aspect_ratio", a.random_resize_aspect_ratio, 100);
  check_range(s, "random_resize_scale", a.random_resize_scale, 1);
  if (a.reprob < 0 || a.reprob > 1) s.reject("reprob", "is ", a.reprob, "; it is a probability");
  s.finish();
  return a;
}

inline PretrainConfig::Logging read_logging(YamlSection s) {
  PretrainConfig::Logging l;
  l.folder = s.required<std::string>("folder");
  l.write_tag = s.get<std::string>("write_tag", l.write_tag);
  if (l.write_tag.empty() || l.write_tag.find('/') != std::string::npos) {
    s.reject("write_tag", "is '", l.write_tag, "'; it begins file names in the folder and must not hold a '/'");
  }
  s.finish();
  return l;
}

inline PretrainConfig::Loss read_loss(YamlSection s) {
  PretrainConfig::Loss l;
  l.loss_exp = s.get<double>("loss_exp", l.loss_exp);
  l.reg_coeff = s.get<double>("reg_coeff", l.reg_coeff);
  if (l.loss_exp < 1) s.reject("loss_exp", "is ", l.loss_exp, "; it must be at least 1");
  s.finish();
  return l;
}

inline PretrainConfig::Mask read_mask(YamlSection s, const std::string& type) {
  if (type == "random_tube") {
    RandomTube tube;
    tube.ratio = s.get<double>("ratio", tube.ratio);
    if (!(tube.ratio > 0 && tube.ratio < 1)) s.reject("ratio", "is ", tube.ratio, "; it must lie between 0 and 1");
    s.finish();
    return tube;
  }
  Multiblock3d m;
  m.aspect_ratio = s.get<std::array<double, 2>>("aspect_ratio", m.aspect_ratio);
  m.num_blocks = s.get<Index>("num_blocks", m.num_blocks);
  m.spatial_scale = s.get<std::array<double, 2>>("spatial_scale", m.spatial_scale);
  m.temporal_scale = s.get<std::array<double, 2>>("temporal_scale", m.temporal_scale);
  m.max_temporal_keep = s.get<double>("max_temporal_keep", m.max_temporal_keep);
  m.max_keep = s.find<Index>("max_keep");
  m.multiple_of = s.get<Index>("multiple_of", m.multiple_of);
  check_range(s, "aspect_ratio", m.aspect_ratio, 100);
  check_range(s, "spatial_scale", m.spatial_scale, 1);
  check_range(s, "temporal_scale", m.temporal_scale, 1);
  if (m.num_blocks < 1) s.reject("num_blocks", "is ", m.num_blocks, "; it must be at least 1");
  if (m.max_keep && *m.max_keep < 1) s.reject("max_keep", "is ", *m.max_keep, "; it must be at least 1");
  if (m.multiple_of < 1) s.reject("multiple_of", "is ", m.multiple_of, "; it must be at least 1");
  s.finish();
  return m;
}

inline PretrainConfig::Meta read_meta(YamlSection s) {
  PretrainConfig::Meta m;
  m.load_checkpoint = s.get<bool>("load_checkpoint", m.load_checkpoint);
  m.read_checkpoint = s.find<std::string>("read_checkpoint");
  m.seed = s.get<std::uint64_t>("seed", m.seed);
  // As in the official configurations, -1 is "never".
  if (const auto epochs = s.find<Index>("save_every_freq"); epochs && *epochs > 0) m.save_every_freq = *epochs;
  m.save_every_minutes = s.find<double>("save_every_minutes");
  if (m.save_every_minutes && *m.save_every_minutes <= 0) {
    s.reject("save_every_minutes", "is ", *m.save_every_minutes, "; it must be above 0");
  }
  m.skip_batches = std::max<Index>(0, s.get<Index>("skip_batches", m.skip_batches));
  const auto dtype = s.get<std::string>("dtype", "float32");
  if (dtype == "bfloat16") {
    m.dtype = Precision::bfloat16;
  } else if (dtype != "float32") {
    s.reject("dtype", "is '", dtype, "'; choose float32 or bfloat16");
  }
  s.unused("eval_freq", "has no effect: evaluation is a program of its own");
  s.unused("use_sdpa", "has no effect: attention never holds a square of scores");
  s.finish();
  return m;
}

inline PretrainConfig::Model read_model(YamlSection s) {
  PretrainConfig::Model m;
  m.model_name = s.required<std::string>("model_name");
  m.pred_depth = s.get<Index>("pred_depth", m.pred_depth);
  m.pred_embed_dim = s.get<Index>("pred_embed_dim", m.pred_embed_dim);
  m.uniform_power = s.get<bool>("uniform_power", m.uniform_power);
  m.init_std = s.get<double>("init_std", m.init_std);
  if (!(m.init_std > 0)) s.reject("init_std", "is ", m.init_std, "; it must be above 0");
  m.rescale_blocks = s.get<bool>("rescale_blocks", m.rescale_blocks);
  m.recomputed_blocks = s.get<Index>("recomputed_blocks", m.recomputed_blocks);
  if (m.recomputed_blocks < 0) s.reject("recomputed_blocks", "is ", m.recomputed_blocks, "; it must not be below 0");
  m.zero_init_mask_tokens = s.get<bool>("zero_init_mask_tokens", m.zero_init_mask_tokens);
  if (m.pred_depth < 1) s.reject("pred_depth", "is ", m.pred_depth, "; it must be at least 1");
  if (!s.get<bool>("use_mask_tokens", true)) {
    s.reject("use_mask_tokens", "is false; a predictor without mask tokens, fed with noisy targets, is not supported");
  }
  s.finish();
  return m;
}

inline PretrainConfig::Optimization read_optimization(YamlSection s) {
  PretrainConfig::Optimization o;
  o.ipe = s.find<Index>("ipe");
  o.ipe_scale = s.get<double>("ipe_scale", o.ipe_scale);
  o.clip_grad = s.find<double>("clip_grad");
  o.weight_decay = s.required<double>("weight_decay");
  o.final_weight_decay = s.required<double>("final_weight_decay");
  o.epochs = s.required<Index>("epochs");
  o.warmup = s.required<double>("warmup");
  o.start_lr = s.required<double>("start_lr");
  o.lr = s.required<double>("lr");
  o.final_lr = s.required<double>("final_lr");
  o.ema = s.required<std::array<double, 2>>("ema");
  o.betas = s.get<std::array<double, 2>>("betas", o.betas);
  o.eps = s.get<double>("eps", o.eps);
  if (o.ipe && *o.ipe < 1) s.reject("ipe", "is ", *o.ipe, "; it must be at least 1, or null for a whole epoch");
  if (o.epochs < 1) s.reject("epochs", "is ", o.epochs, "; it must be at least 1");
  // Which a double counts exactly, as schedules do; without ipe, of as many videos as a list may have.
  constexpr double most_steps = 1e15;
  if (static_cast<double>(o.epochs) * static_cast<double>(o.ipe.value_or(Index{1} << 30)) > most_steps) {
    s.reject("epochs", "is ", o.epochs, "; the run would have more than ", most_steps, " steps");
  }
  if (o.clip_grad && *o.clip_grad <= 0) s.reject("clip_grad", "is ", *o.clip_grad, "; it must be above 0, or null");
  for (const auto& [key, value] : {std::pair<const char*, double>{"warmup", o.warmup},
                                   {"start_lr", o.start_lr},
                                   {"lr", o.lr},
                                   {"final_lr", o.final_lr},
                                   {"weight_decay", o.weight_decay},
                                   {"final_weight_decay", o.final_weight_decay}}) {
    if (value < 0) s.reject(key, "is ", value, "; it must not be negative");
  }
  if (o.ipe_scale <= 0) s.reject("ipe_scale", "is ", o.ipe_scale, "; it must be above 0");
  if (o.eps <= 0) s.reject("eps", "is ", o.eps, "; it must be above 0");
  for (const double m : o.ema) {
    if (m < 0 || m > 1) s.reject("ema", "holds ", m, "; a momentum lies between 0 and 1");
  }
  for (const double b : o.betas) {
    if (b < 0 || b >= 1) s.reject("betas", "holds ", b, "; it must be at least 0 and below 1");
  }
  s.finish();
  return o;
}

}  // namespace detail

/// Reads a pretraining configuration. Every key is used, or named in a warning of the section; throws Error for a key
/// that is unknown, of another type, or out of range.
inline PretrainConfig read_pretrain_config(YamlSection& root) {
  if (const auto app = root.get<std::string>("app", "vjepa"); app != "vjepa") {
    root.reject("app", "is '", app, "'; this program runs 'vjepa'");
  }
  root.unused("nodes", "has no effect: a run is one process");
  root.unused("tasks_per_node", "has no effect: a run is one process");
  PretrainConfig config{.data = detail::read_data(root.section("data")),
                        .data_aug = detail::read_augmentation(root.section("data_aug")),
                        .logging = detail::read_logging(root.section("logging")),
                        .loss = detail::read_loss(root.section("loss")),
                        .mask = {},
                        .meta = detail::read_meta(root.section("meta")),
                        .model = detail::read_model(root.section("model")),
                        .optimization = detail::read_optimization(root.section("optimization"))};
  for (YamlSection& s : root.sections("mask")) {
    config.mask.push_back(detail::read_mask(std::move(s), config.data.mask_type));
  }
  if (config.data.resize_on_device && config.data_aug.reprob > 0) {
    root.reject("data.resize_on_device", "does not go with data_aug.reprob above 0, which erases resized pixels");
  }
  if (config.mask.empty()) root.reject("mask", "lists no mask; a run needs at least one");
  root.finish();
  return config;
}

}  // namespace vjepa
