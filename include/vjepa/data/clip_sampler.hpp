#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// Which frames the clips of a video read, as the official data set chooses them. The video is cut into `num_clips`
/// equal parts and each gives one clip; a part that is too short for a clip repeats its last frame, or, with
/// `allow_overlap`, the clips overlap.
struct ClipSampler {
  Index frames_per_clip = 16;
  Index frame_step = 4;
  std::optional<double> duration = {};  // seconds a clip spans; replaces frame_step
  /// Least and most of the video that a clip spans, as parts of 1; replaces both, and the cutting into parts.
  std::optional<std::array<double, 2>> part = {};
  Index num_clips = 1;
  bool random_clip = true;  // a clip begins anywhere in its part, else at its beginning
  bool allow_overlap = false;

  /// Frames between two of a clip, in a video of `fps`. Throws Error when the duration is too short for the rate.
  Index step(double fps) const {
    if (!duration) return frame_step;
    const auto steps = static_cast<Index>(*duration * fps / static_cast<double>(frames_per_clip));
    if (steps < 1) {
      fail("a clip of ", *duration, " seconds has fewer than ", frames_per_clip, " frames at ", fps,
           " frames a second");
    }
    return steps;
  }

  /// Frames that a video needs for a clip.
  Index span(double fps) const { return part ? frames_per_clip : frames_per_clip * step(fps); }

  /// The numbers of the frames, one list of `frames_per_clip` a clip, of a video of `frames` frames. Throws Error when
  /// the video is too short for that many clips, where the official code fails.
  std::vector<std::vector<Index>> operator()(Index frames, double fps, Random& random) const {
    if (part) return spanning(frames, random);
    const Index step_size = step(fps);
    const Index clip = frames_per_clip * step_size;
    const Index share = frames / num_clips;
    std::vector<std::vector<Index>> clips;
    for (Index i = 0; i < num_clips; ++i) {
      if (share > clip) {
        const Index end = random_clip ? clip + random.below(share - clip) : clip;
        clips.push_back(spread(end - clip, end, frames_per_clip, end - 1, i * share));
      } else if (!allow_overlap) {
        clips.push_back(padded(share, share, step_size, i * share));
      } else {
        const Index reach = std::min(clip, frames) - 1;
        const Index stride = frames > clip && num_clips > 1 ? (frames - clip) / (num_clips - 1) : 0;
        clips.push_back(padded(reach, reach, step_size, i * stride));
      }
    }
    return clips;
  }

 private:
  /// Clips of a random length, their frames evenly over them. They lie anywhere in the video, or the first begins with
  /// it, the last ends with it and the others lie evenly between; a single one lies in the middle.
  std::vector<std::vector<Index>> spanning(Index frames, Random& random) const {
    if (frames < 1) fail("the video has no frames");
    const auto last = static_cast<double>(frames - 1);
    std::vector<std::vector<Index>> clips(static_cast<std::size_t>(num_clips));
    for (Index c = 0; c < num_clips; ++c) {
      const double length = last * random.uniform((*part)[0], (*part)[1]);
      const double place = num_clips > 1 ? static_cast<double>(c) / static_cast<double>(num_clips - 1) : 0.5;
      const double first = random_clip ? random.uniform(0, last - length) : place * (last - length);
      for (Index i = 0; i < frames_per_clip; ++i) {
        const double at = frames_per_clip > 1 ? static_cast<double>(i) / static_cast<double>(frames_per_clip - 1) : 0.5;
        clips[static_cast<std::size_t>(c)].push_back(
            std::clamp<Index>(std::lround(first + length * at), 0, frames - 1));
      }
    }
    return clips;
  }

  /// `count` numbers evenly from `first` to `last` (included), cut to whole ones no larger than `most`, plus `offset`.
  static std::vector<Index> spread(Index first, Index last, Index count, Index most, Index offset) {
    std::vector<Index> numbers;
    const double step = count > 1 ? static_cast<double>(last - first) / static_cast<double>(count - 1) : 0;
    for (Index i = 0; i < count; ++i) {
      // The ends are exact, whatever the step rounds to.
      const double x = i == count - 1 && count > 1 ? static_cast<double>(last)
                                                   : static_cast<double>(first) + step * static_cast<double>(i);
      numbers.push_back(std::clamp<Index>(static_cast<Index>(x), first, std::max(first, most)) + offset);
    }
    return numbers;
  }

  /// As many numbers up to `length` as steps fit, the last repeated to make a clip.
  std::vector<Index> padded(Index length, Index last, Index step_size, Index offset) const {
    const Index count = std::min(length / step_size, frames_per_clip);
    if (length < 1) fail("the video is too short for ", num_clips, " clips");
    std::vector<Index> numbers = count > 0 ? spread(0, length, count, last - 1, offset) : std::vector<Index>{};
    numbers.resize(static_cast<std::size_t>(frames_per_clip), last - 1 + offset);
    return numbers;
  }
};

}  // namespace vjepa
