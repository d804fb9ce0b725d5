#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <variant>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/clip_transform.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/media_names.hpp"
#include "vjepa/data/sampled_clips.hpp"
#include "vjepa/data/video_reader.hpp"

namespace vjepa {

/// What a classifier sees of one video or image.
struct Views {
  std::vector<float> clips;     // [segments * views, 3, frames, size, size], the views of a segment together
  std::vector<Index> numbers;   // of the frames, [segments, frames]
  std::vector<double> seconds;  // when each segment begins
};

/// Reads the clips of a video, each through a transform of training (one view) or of evaluation (some). An image, or a
/// video of one frame, is transformed once and repeated for every frame of every clip.
struct ViewReader {
  ClipSampler sampler;
  std::variant<EvalTransform, ClipTransform> transform;
  DecodingDevice decoder = {};

  Index size() const {
    return std::visit([](const auto& t) { return t.size; }, transform);
  }
  bool static_camera() const {
    return std::visit([](const auto& t) { return t.static_camera; }, transform);
  }
  Index views() const {
    const auto* eval = std::get_if<EvalTransform>(&transform);
    return eval != nullptr ? eval->views : 1;
  }

  /// Throws Error that names the file when it cannot be used. `when` draws where clips begin, `augment` the rest.
  Views operator()(const std::filesystem::path& path, Random& when, Random& augment) const {
    VideoReader reader(path, decoder);
    Views views;
    if (is_image_name(path) || reader.frame_count() == 1) {
      Frames image = reader.read(std::vector<Index>{0});
      const std::vector<float> still = transformed(image, augment);
      for (Index c = 0; c < sampler.num_clips; ++c) {
        for (Index i = 0; i < sampler.frames_per_clip; ++i) views.numbers.push_back(i);
        repeat(still, views.clips);
        views.seconds.push_back(0);
      }
      return views;
    }
    SampledClips sampled;
    sample_clips(reader, sampler, when, sampled);
    for (std::size_t c = 0; c < sampled.clips.size(); ++c) {
      const std::vector<float> pixels = transformed(sampled.clips[c], augment);
      views.clips.insert(views.clips.end(), pixels.begin(), pixels.end());
      views.numbers.insert(views.numbers.end(), sampled.numbers[c].begin(), sampled.numbers[c].end());
      views.seconds.push_back(reader.seconds(sampled.numbers[c].front()));
    }
    return views;
  }

 private:
  /// [views, 3, frames.count, size, size]
  std::vector<float> transformed(Frames& frames, Random& augment) const {
    std::vector<float> out(static_cast<std::size_t>(views() * 3 * frames.count * size() * size()));
    if (const auto* eval = std::get_if<EvalTransform>(&transform)) {
      (*eval)(frames, out.data());
    } else {
      std::get<ClipTransform>(transform)(frames, augment, out.data());
    }
    return out;
  }

  /// Every plane of `still` as often as a clip has frames.
  void repeat(const std::vector<float>& still, std::vector<float>& clips) const {
    const auto plane = size() * size();
    for (auto at = still.begin(); at != still.end(); at += plane) {
      for (Index t = 0; t < sampler.frames_per_clip; ++t) clips.insert(clips.end(), at, at + plane);
    }
  }
};

}  // namespace vjepa
