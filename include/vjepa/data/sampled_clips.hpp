#pragma once

#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

/// The clips of a video, and the numbers of their frames.
struct SampledClips {
  std::vector<Frames> clips;
  std::vector<std::vector<Index>> numbers;
};

/// The numbers of the frames of the clips that the sampler chooses. Throws Error that names the file when it is too
/// short.
template <class Video>
std::vector<std::vector<Index>> clip_numbers(const Video& video, const ClipSampler& sampler, Random& when) {
  try {
    return sampler(video.frame_count(), video.fps(), when);
  } catch (const Error& e) {
    fail(video.path().string(), ": ", e.what());
  }
}

/// Reads the clips that the sampler chooses, in one pass over the video, a VideoReader or DecodedVideo, over what is in
/// `sampled`, whose memory is used again. Throws Error that names the file when it is too short, or a frame cannot be
/// decoded.
template <class Video>
void sample_clips(Video& video, const ClipSampler& sampler, Random& when, SampledClips& sampled) {
  sampled.numbers = clip_numbers(video, sampler, when);
  video.read(sampled.numbers, sampled.clips);
}

}  // namespace vjepa
