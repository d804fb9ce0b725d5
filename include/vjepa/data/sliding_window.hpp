#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/data/frame_stream.hpp"
#include "vjepa/data/frames.hpp"

namespace vjepa {

/// A clip as an encoder takes it, and where in its video it lies.
struct TimedClip {
  std::vector<float> pixels;  // [3, frames, size, size], normalised
  Index first = 0;            // number of its first frame, and of its last
  Index last = 0;
  double seconds = 0;  // when its first frame is shown
};

/// Cuts a sequence of frames into clips that may overlap: clip k is made of the frames k `every` + i `stride`,
/// i < `window`. Only the frames that a clip still to come needs are held, cropped and normalised, or, where a whole
/// clip is looked at for that, as they came.
class SlidingWindow {
 public:
  /// Throws Error unless window, stride and every are positive and the transform gives one view.
  SlidingWindow(Index window, Index stride, Index every, const EvalTransform& transform)
      : window_(window), stride_(stride), every_(every), transform_(transform) {
    if (transform.views != 1) fail("a sliding window gives one view of a clip; the transform gives ", transform.views);
    if (window < 1 || stride < 1 || every < 1) {
      fail("a sliding window of ", window, " frames, ", stride, " apart, every ", every,
           " frames: all must be above 0");
    }
  }

  /// Whether a clip has the next frame; the picture of one that is not wanted is not looked at.
  bool wants_next() const { return needed(count_); }

  /// Takes the next frame and returns the clip that it completes, if any. Throws Error when a clip that is looked at
  /// as a whole has frames of several sizes.
  std::optional<TimedClip> push(FrameStream::Frame frame) {
    if (wants_next()) {
      held_.push_back({.number = count_, .seconds = frame.seconds, .picture = {}, .pixels = {}});
      if (transform_.static_camera) {
        held_.back().picture = std::move(frame.picture);
      } else {
        held_.back().pixels.resize(static_cast<std::size_t>(3 * plane()));
        transform_(frame.picture, held_.back().pixels.data());
      }
    }
    ++count_;
    if (count_ <= next_ + (window_ - 1) * stride_) return std::nullopt;
    return take();
  }

  /// At the end of a video that was too short for one clip: the clip that repeats its last frame. Nothing otherwise.
  std::optional<TimedClip> finish() {
    if (next_ > 0 || held_.empty()) return std::nullopt;
    return take();
  }

 private:
  struct Held {
    Index number;
    double seconds;
    Frames picture;             // of a static camera, else none
    std::vector<float> pixels;  // [3, size, size], else none
  };

  Index plane() const { return transform_.size * transform_.size; }

  /// Whether some clip not yet taken has this frame.
  bool needed(Index frame) const {
    const Index span = (window_ - 1) * stride_;
    for (Index start = next_; start <= frame; start += every_) {
      if (frame - start <= span && (frame - start) % stride_ == 0) return true;
    }
    return false;
  }

  /// The clip that begins at the frame `next_`, the last frame held in place of those that never came.
  TimedClip take() {
    TimedClip clip{.pixels = std::vector<float>(static_cast<std::size_t>(3 * window_ * plane())), .first = next_};
    std::vector<const Held*> frames;
    auto held = held_.begin();
    for (Index t = 0; t < window_; ++t) {
      while (held->number < next_ + t * stride_ && std::next(held) != held_.end()) ++held;
      frames.push_back(&*held);
    }
    clip.seconds = frames.front()->seconds;
    clip.last = frames.back()->number;
    if (transform_.static_camera) {
      transform_(together(frames), clip.pixels.data());
    } else {
      for (Index t = 0; t < window_; ++t) {
        const float* const pixels = frames[static_cast<std::size_t>(t)]->pixels.data();
        for (Index c = 0; c < 3; ++c) {
          std::copy_n(pixels + c * plane(), plane(), clip.pixels.data() + (c * window_ + t) * plane());
        }
      }
    }
    next_ += every_;
    std::erase_if(held_, [&](const Held& h) { return h.number < next_ || !needed(h.number); });
    return clip;
  }

  static Frames together(const std::vector<const Held*>& held) {
    const Frames& first = held.front()->picture;
    Frames all(static_cast<Index>(held.size()), first.height, first.width);
    for (std::size_t t = 0; t < held.size(); ++t) {
      const Frames& picture = held[t]->picture;
      if (picture.height != first.height || picture.width != first.width) {
        fail("the frames of a clip are ", first.width, "x", first.height, " and ", picture.width, "x", picture.height,
             " pixels; what stands still can be told only where all have one size");
      }
      std::copy(picture.pixels.begin(), picture.pixels.end(), all.frame(static_cast<Index>(t)));
    }
    return all;
  }

  Index window_;
  Index stride_;
  Index every_;
  EvalTransform transform_;
  Index count_ = 0;  // frames taken
  Index next_ = 0;   // first frame of the next clip
  std::deque<Held> held_;
};

}  // namespace vjepa
