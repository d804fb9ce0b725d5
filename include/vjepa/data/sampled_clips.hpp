#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/video_reader.hpp"

namespace vjepa {

/// The clips of a video, and the numbers of their frames.
struct SampledClips {
  std::vector<Frames> clips;
  std::vector<std::vector<Index>> numbers;
};

/// Reads the clips that the sampler chooses, in one pass over the video. Throws Error that names the file when it is
/// too short, or a frame cannot be decoded.
inline SampledClips sample_clips(VideoReader& reader, const ClipSampler& sampler, Random& when) {
  SampledClips sampled;
  try {
    sampled.numbers = sampler(reader.frame_count(), reader.fps(), when);
  } catch (const Error& e) {
    fail(reader.path().string(), ": ", e.what());
  }
  std::vector<Index> every;
  for (const auto& clip : sampled.numbers) every.insert(every.end(), clip.begin(), clip.end());
  const Frames all = reader.read(every);
  for (Index c = 0; c < sampler.num_clips; ++c) {
    Frames clip(sampler.frames_per_clip, all.height, all.width);
    const std::uint8_t* from = all.frame(c * clip.count);
    std::copy(from, from + clip.count * clip.frame_size(), clip.pixels.begin());
    sampled.clips.push_back(std::move(clip));
  }
  return sampled;
}

}  // namespace vjepa
