#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/video_reader.hpp"

namespace vjepa {

/// All frames of a video, to be read as from a VideoReader.
class DecodedVideo {
 public:
  /// Throws VideoError when one of them cannot be decoded.
  explicit DecodedVideo(VideoReader& reader) : path_(reader.path()), fps_(reader.fps()) {
    std::vector<Index> all(static_cast<std::size_t>(reader.frame_count()));
    std::iota(all.begin(), all.end(), Index{0});
    frames_ = reader.read(all);
  }

  Index frame_count() const { return frames_.count; }
  double fps() const { return fps_; }
  const std::filesystem::path& path() const { return path_; }

  /// The frames of these numbers, which exist, a clip for each list. Overwrites `clips`, whose memory is used again.
  void read(const std::vector<std::vector<Index>>& numbers, std::vector<Frames>& clips) const {
    clips.resize(numbers.size());
    for (std::size_t c = 0; c < numbers.size(); ++c) {
      clips[c].reshape(static_cast<Index>(numbers[c].size()), frames_.height, frames_.width);
      for (std::size_t i = 0; i < numbers[c].size(); ++i) {
        std::copy_n(frames_.frame(numbers[c][i]), frames_.frame_size(), clips[c].frame(static_cast<Index>(i)));
      }
    }
  }

 private:
  std::filesystem::path path_;
  double fps_;
  Frames frames_;
};

/// Decoded videos, known by their number in a list, for sets that are small and read again and again. Those that come
/// first are kept, as long as all of them together fit; threads may share it.
class VideoCache {
 public:
  explicit VideoCache(std::size_t bytes) : left_(bytes) {}

  /// Nothing when the video is not kept.
  std::shared_ptr<const DecodedVideo> find(Index number) const {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(number);
    return found != kept_.end() ? found->second : nullptr;
  }

  /// Decodes and keeps a video that was not found; nothing when it does not fit, or a frame of it is damaged.
  std::shared_ptr<const DecodedVideo> keep(Index number, VideoReader& reader) {
    const std::size_t bytes = reader.bytes();
    if (!reserve(number, bytes)) return nullptr;
    std::shared_ptr<const DecodedVideo> video;
    try {
      video = std::make_shared<DecodedVideo>(reader);
    } catch (const Error&) {  // whoever samples a frame that is damaged will hear of it
    }
    const std::lock_guard lock(mutex_);
    under_way_.erase(number);
    if (video) {
      kept_.emplace(number, video);
    } else {
      left_ += bytes;
      damaged_.insert(number);
    }
    return video;
  }

 private:
  bool reserve(Index number, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    // A file that does not say how large its pictures are might be of any size.
    if (bytes == 0 || bytes > left_ || damaged_.contains(number) || kept_.contains(number)) return false;
    if (!under_way_.insert(number).second) return false;
    left_ -= bytes;
    return true;
  }

  mutable std::mutex mutex_;
  std::size_t left_;  // bytes
  std::map<Index, std::shared_ptr<const DecodedVideo>> kept_;
  std::set<Index> under_way_;  // being decoded by a thread
  std::set<Index> damaged_;
};

}  // namespace vjepa
