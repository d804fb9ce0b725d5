#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/clip_transform.hpp"
#include "vjepa/data/cut_clip.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/reader_threads.hpp"
#include "vjepa/data/sampled_clips.hpp"
#include "vjepa/data/video_cache.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/data/video_reader.hpp"

namespace vjepa {

struct LoaderOptions {
  Index batch_size = 1;
  int workers = 1;  // threads; at least one
  std::uint64_t seed = 0;
  std::optional<std::vector<double>> weights;  // of the sources of the list
  ClipSampler sampler;
  ClipTransform transform;
  bool filter_short_videos = false;                // skip what is shorter than a clip
  std::optional<std::int64_t> filter_long_videos;  // skip files of more bytes
  bool cut_only = false;                           // clips are not resized but cut out, for a device to resize
  DecodingDevice decoder = {};                     // of videos
  std::size_t cache_bytes = 0;                     // decoded videos are kept in so much memory
};

/// A batch of clips.
struct ClipBatch {
  std::vector<float> clips;  // [num_clips * batch, 3, frames, size, size], clip 0 of all samples before clip 1
  std::vector<CutClip> cut;  // with `cut_only`, in the place of `clips` and in their order
  std::vector<std::int64_t> labels;
  std::int64_t skipped = 0;  // videos that could not be used and were replaced
};

/// Reads batches ahead on threads of its own. Batch b is a function of the list, the options but for `workers`, and b
/// alone: every choice is keyed by the number of the sample. A video that cannot be used is replaced by one that the
/// sample's own shuffle of the list gives next.
class Loader {
 public:
  /// Begins at batch `first`. Throws Error when clips are to be cut only and the transform wants more.
  Loader(const VideoList& list, LoaderOptions options, std::int64_t first)
      : list_(&list),
        options_(std::move(options)),
        slots_(ahead),
        cache_(options_.cache_bytes),
        next_(first),
        next_task_(first * samples()) {
    if (options_.cut_only && (options_.transform.static_camera || options_.transform.erasing)) {
      fail(
          "vjepa::Loader: clips that are only cut out cannot have static_camera or erasing, which change resized "
          "pixels");
    }
    for (auto& slot : slots_) reset(slot);
    threads_ = start_readers(options_.workers, [this] { work(); });
  }
  Loader(const Loader&) = delete;
  ~Loader() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    space_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  /// Hears why a video cannot be used.
  using Complain = std::function<void(const std::string&)>;

  /// The next batch; valid until the next call. While it waits, `complain` hears of each video that cannot be used,
  /// once, in this batch or those read ahead. Throws Error when no video can be used.
  const ClipBatch& next(const Complain& complain = [](const std::string&) {}) {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[static_cast<std::size_t>(next_ % ahead)];
    for (;;) {
      ready_.wait(lock, [&] { return slot.left == 0 || error_ || !untold_.empty(); });
      if (untold_.empty()) break;
      const std::vector<std::string> reasons = std::exchange(untold_, {});
      lock.unlock();
      for (const std::string& reason : reasons) complain(reason);
      lock.lock();
    }
    if (error_) std::rethrow_exception(error_);
    std::swap(current_.clips, slot.clips);
    std::swap(current_.cut, slot.cut);
    std::swap(current_.labels, slot.labels);
    current_.skipped = slot.skipped;
    reset(slot);
    ++next_;
    lock.unlock();
    space_.notify_all();
    return current_;
  }

 private:
  static constexpr std::int64_t ahead = 3;  // batches in memory, beside the one in use

  struct Slot {
    std::vector<float> clips;
    std::vector<CutClip> cut;
    std::vector<std::int64_t> labels;
    std::int64_t skipped = 0;
    Index left = 0;  // samples still to come
  };

  std::int64_t samples() const { return options_.batch_size; }
  Index clip_size() const {
    return 3 * options_.sampler.frames_per_clip * options_.transform.size * options_.transform.size;
  }

  void reset(Slot& slot) const {
    const Index clips = options_.sampler.num_clips * samples();
    slot.clips.resize(static_cast<std::size_t>(options_.cut_only ? 0 : clips * clip_size()));
    slot.cut.resize(static_cast<std::size_t>(options_.cut_only ? clips : 0));
    slot.labels.assign(static_cast<std::size_t>(samples()), 0);
    slot.skipped = 0;
    slot.left = samples();
  }

  void work() {
    SampledClips sampled;  // read into again and again
    std::unique_lock lock(mutex_);
    for (;;) {
      space_.wait(lock, [&] { return stopping_ || next_task_ < (next_ + ahead) * samples(); });
      if (stopping_) return;
      const std::int64_t task = next_task_++;
      Slot& slot = slots_[static_cast<std::size_t>(task / samples() % ahead)];
      lock.unlock();
      std::exception_ptr error;
      try {
        read_sample(task, sampled, slot);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) {
        error_ = error;
        stopping_ = true;
        ready_.notify_all();
        space_.notify_all();
        return;
      }
      if (--slot.left == 0) ready_.notify_all();
    }
  }

  void read_sample(std::int64_t task, SampledClips& sampled, Slot& slot) {
    const Index place = task % samples();
    const auto key = static_cast<std::uint64_t>(task);
    const auto count = static_cast<std::uint64_t>(list_->size());
    const Permutation others({.seed = options_.seed, .purpose = Purpose::shuffle, .epoch = ~key}, count);
    std::string first;
    for (std::uint64_t attempt = 0; attempt <= count; ++attempt) {
      const Index video =
          attempt == 0 ? list_->at(options_.seed, key, options_.weights) : static_cast<Index>(others(attempt - 1));
      try {
        read_clips(video, key, attempt, place, sampled, slot);
        return;
      } catch (const Error& e) {
        if (attempt == 0) first = e.what();
        const std::lock_guard lock(mutex_);
        ++slot.skipped;
        if (told_.insert(video).second) {
          untold_.emplace_back(e.what());
          ready_.notify_all();
        }
        if (stopping_) return;
      }
    }
    fail("none of the ", count, " videos can be used; the first: ", first);
  }

  void read_clips(Index video, std::uint64_t key, std::uint64_t attempt, Index place, SampledClips& sampled,
                  Slot& slot) {
    Random when({.seed = options_.seed, .purpose = Purpose::clip, .epoch = attempt, .sample = key});
    Random augment({.seed = options_.seed, .purpose = Purpose::augment, .epoch = attempt, .sample = key});
    std::shared_ptr<const DecodedVideo> decoded = cache_.find(video);
    if (decoded) {
      sample_clips(*decoded, options_.sampler, when, sampled);
    } else {
      const std::filesystem::path path = list_->path(video);
      check_size(path);
      VideoReader reader(path, options_.decoder);
      check_length(reader);
      decoded = cache_.keep(video, reader);
      if (decoded) {
        sample_clips(*decoded, options_.sampler, when, sampled);
      } else {
        sample_clips(reader, options_.sampler, when, sampled);
      }
    }
    for (Index c = 0; c < options_.sampler.num_clips; ++c) {
      Frames& frames = sampled.clips[static_cast<std::size_t>(c)];
      const Index at = c * samples() + place;
      if (options_.cut_only) {
        options_.transform.cut(frames, augment, slot.cut[static_cast<std::size_t>(at)]);
      } else {
        options_.transform(frames, augment, slot.clips.data() + at * clip_size());
      }
    }
    slot.labels[static_cast<std::size_t>(place)] = list_->label(video);
  }

  void check_length(const VideoReader& reader) const {
    if (!options_.filter_short_videos) return;
    const auto bad = [&](const auto&... parts) { fail(reader.path().string(), ": ", parts...); };
    Index span = 0;
    try {
      span = options_.sampler.span(reader.fps());
    } catch (const Error& e) {
      bad(e.what());
    }
    if (reader.frame_count() < span) bad("has ", reader.frame_count(), " frames, fewer than the ", span, " of a clip");
  }

  void check_size(const std::filesystem::path& path) const {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) fail(path.string(), ": ", error.message());
    // As in the official data set: so small a file is a failed download.
    if (bytes < 1024) fail(path.string(), ": has ", bytes, " bytes, too few for a video");
    if (options_.filter_long_videos && bytes > static_cast<std::uintmax_t>(*options_.filter_long_videos)) {
      fail(path.string(), ": has ", bytes, " bytes, more than data.filter_long_videos allows");
    }
  }

  const VideoList* list_;
  LoaderOptions options_;
  std::vector<Slot> slots_;  // batch b is read into slot b % ahead
  ClipBatch current_;
  VideoCache cache_;

  std::mutex mutex_;  // guards what follows, and `left` and `skipped` of the slots
  std::condition_variable ready_;
  std::condition_variable space_;
  std::int64_t next_;                // batch that the caller takes next
  std::int64_t next_task_;           // sample that a worker takes next
  std::set<Index> told_;             // videos that cannot be used
  std::vector<std::string> untold_;  // why, of those that the caller has not heard of
  bool stopping_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace vjepa
