#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <numeric>
#include <variant>
#include <vector>

#include "vjepa/core/error.hpp"
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
/// video of one frame, is transformed once and repeated for every frame of every clip; of a static camera it is
/// refused.
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
    Views views;
    each_clip(path, when, augment, sampler.num_clips,
              [&](const std::vector<float>& pixels, const std::vector<Index>& numbers, double seconds) {
                views.clips.insert(views.clips.end(), pixels.begin(), pixels.end());
                views.numbers.insert(views.numbers.end(), numbers.begin(), numbers.end());
                views.seconds.push_back(seconds);
                return true;
              });
    return views;
  }

  /// The same clip by clip, the frames of `at_once` of them in memory: calls use(pixels [views, 3, frames, size, size],
  /// numbers of the frames, seconds at which it begins) for each until it returns false.
  template <class Use>
  void each_clip(const std::filesystem::path& path, Random& when, Random& augment, Index at_once, Use&& use) const {
    VideoReader reader(path, decoder);
    if (is_image_name(path) || reader.frame_count() == 1) {
      if (static_camera()) {
        fail(path.string(), ": is one picture, of which nothing is left when what stands still is taken away ",
             "(static_camera)");
      }
      Frames image = reader.read(std::vector<Index>{0});
      const std::vector<float> clip = repeated(transformed(image, augment));
      std::vector<Index> numbers(static_cast<std::size_t>(sampler.frames_per_clip));
      std::iota(numbers.begin(), numbers.end(), Index{0});
      for (Index c = 0; c < sampler.num_clips; ++c) {
        if (!use(clip, numbers, 0.0)) return;
      }
      return;
    }
    const std::vector<std::vector<Index>> numbers = clip_numbers(reader, sampler, when);
    std::vector<Frames> frames;
    for (auto first = numbers.begin(); first != numbers.end();) {
      const auto last = first + std::min<std::ptrdiff_t>(at_once, numbers.end() - first);
      reader.read({first, last}, frames);
      for (Frames& clip : frames) {
        if (!use(transformed(clip, augment), *first, reader.seconds(first->front()))) return;
        ++first;
      }
    }
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
  std::vector<float> repeated(const std::vector<float>& still) const {
    std::vector<float> clip;
    const auto plane = size() * size();
    for (auto at = still.begin(); at != still.end(); at += plane) {
      for (Index t = 0; t < sampler.frames_per_clip; ++t) clip.insert(clip.end(), at, at + plane);
    }
    return clip;
  }
};

}  // namespace vjepa
