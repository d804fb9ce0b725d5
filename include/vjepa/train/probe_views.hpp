#pragma once

#include <span>
#include <utility>
#include <vector>

#include "vjepa/core/shapes.hpp"
#include "vjepa/data/auto_augment.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/random_augment.hpp"
#include "vjepa/data/random_erasing.hpp"
#include "vjepa/data/view_reader.hpp"
#include "vjepa/train/joined_tokens.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_metrics.hpp"

/// What a configuration means for the views of an evaluation.
namespace vjepa {

/// How often a file is seen: clips along time, views of each.
struct ViewShape {
  Index segments = 1;
  Index views = 1;
};

inline ViewShape validation_views(const ProbeConfig& config) {
  return {config.data.num_segments, config.data.num_views_per_segment};
}
/// As in the official evaluation, training sees one clip unless the classifier attends across segments.
inline ViewShape training_views(const ProbeConfig& config) {
  return {config.optimization.attend_across_segments ? config.data.num_segments : 1, 1};
}

inline ClipSampler clip_sampler(const ProbeConfig& config, Index segments, bool random_clip) {
  return {.frames_per_clip = config.data.frames_per_clip,
          .frame_step = config.data.frame_step,
          .duration = config.data.clip_duration,
          .part = config.data.clip_part,
          .num_clips = segments,
          .random_clip = random_clip,
          .allow_overlap = true};
}

/// Views that do not change from epoch to epoch. Clips that span a part of the video lie evenly over it; where others
/// begin is drawn once (docs/adr/0007).
inline ViewReader fixed_view_reader(const ProbeConfig& config, const ViewShape& shape, DecodingDevice decoder = {}) {
  return {.sampler = clip_sampler(config, shape.segments, !config.data.clip_part),
          .transform =
              EvalTransform{
                  .size = config.data.resolution, .views = shape.views, .static_camera = config.data.static_camera},
          .decoder = std::move(decoder)};
}

inline ViewReader training_view_reader(const ProbeConfig& config, DecodingDevice decoder = {}) {
  const auto& aug = config.data_aug;
  ClipTransform transform{.size = config.data.resolution,
                          .scale = aug.random_resize_scale,
                          .aspect_ratio = aug.random_resize_aspect_ratio,
                          .flip = aug.random_horizontal_flip,
                          .motion_shift = aug.motion_shift,
                          .static_camera = config.data.static_camera,
                          .augment = {},
                          .erasing = {}};
  // The official evaluation of images augments by another policy than that of videos.
  if (aug.auto_augment && config.kind == ProbeConfig::Kind::image) transform.augment = AutoAugment{};
  if (aug.auto_augment && config.kind == ProbeConfig::Kind::video) transform.augment = RandomAugment{};
  if (aug.reprob > 0) transform.erasing = RandomErasing{.probability = aug.reprob};
  return {.sampler = clip_sampler(config, training_views(config).segments, true),
          .transform = transform,
          .decoder = std::move(decoder)};
}

inline JoinedTokens joined_tokens(const ProbeConfig& config, const TokenGrid& grid, const ViewShape& shape) {
  return {.grid = grid,
          .segments = shape.segments,
          .views = shape.views,
          .tubelet = config.pretrain.tubelet_size,
          .attend = config.optimization.attend_across_segments,
          .positions = config.probe.use_pos_embed};
}

/// Softmax of each row of logits [rows, classes], averaged over the rows.
inline std::vector<double> mean_softmax(const std::vector<float>& logits, Index classes) {
  const auto n = static_cast<std::size_t>(classes);
  const std::size_t rows = logits.size() / n;
  std::vector<double> mean(n, 0);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<double> p = softmax(std::span(logits).subspan(r * n, n));
    for (std::size_t i = 0; i < n; ++i) mean[i] += p[i] / static_cast<double>(rows);
  }
  return mean;
}

}  // namespace vjepa
