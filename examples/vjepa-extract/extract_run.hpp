#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "extract.hpp"
#include "feature_sink.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/data/frame_stream.hpp"
#include "vjepa/data/media_names.hpp"
#include "vjepa/data/read_ahead.hpp"
#include "vjepa/data/sliding_window.hpp"
#include "vjepa/data/video_source.hpp"
#include "vjepa/data/view_reader.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/train/progress.hpp"

using program::Input;
using ClipAhead = vjepa::ReadAhead<vjepa::TimedClip>;

/// Every clip of an input: `segments` of them spread evenly, or one every `every` frames.
inline void read_clips(const ExtractOptions& o, const Input& input, const ClipAhead::Emit& emit) {
  using namespace vjepa;
  const EvalTransform transform{.size = o.size, .views = 1, .static_camera = *o.static_camera};
  ClipSampler sampler{.frames_per_clip = o.window,
                      .frame_step = o.stride,
                      .duration = o.duration,
                      .num_clips = is_image_name(input.name) ? 1 : o.segments,
                      .random_clip = false,
                      .allow_overlap = true};
  if (input.stream || o.every > 0) {
    VideoSource source = input.stream ? VideoSource::open(StreamAddress{.address = input.name,
                                                                        .format = o.input_format,
                                                                        .options = o.input_options,
                                                                        .timeout = o.timeout,
                                                                        .interrupted = o.interrupted},
                                                          o.decoder)
                                      : VideoSource::open(std::filesystem::path(input.name), o.decoder);
    FrameStream frames(std::move(source));
    const Index stride = sampler.step(frames.fps());
    SlidingWindow window(o.window, stride, o.every > 0 ? o.every : o.window * stride, transform);
    Index clips = 0;
    while (auto frame = frames.next(window.wants_next())) {
      auto clip = window.push(std::move(*frame));
      if (clip && (!emit(std::move(*clip)) || ++clips == o.limit)) return;
    }
    if (auto clip = window.finish()) {
      emit(std::move(*clip));
    } else if (clips == 0) {
      fail(input.name, ": holds no frame that can be decoded");
    }
    return;
  }
  if (o.part) sampler.part = {*o.part, *o.part};
  const ViewReader read{.sampler = sampler, .transform = transform, .decoder = o.decoder};
  Random none({});  // neither the clips nor the transform are random
  Index clips = 0;
  read.each_clip(input.name, none, none, o.batch,
                 [&](std::vector<float> pixels, const std::vector<Index>& numbers, double seconds) {
                   return emit({.pixels = std::move(pixels),
                                .first = numbers.front(),
                                .last = numbers.back(),
                                .seconds = seconds}) &&
                          ++clips != o.limit;
                 });
}

/// What was extracted, and how: the JSON file beside the features.
class Manifest {
 public:
  /// Rows are kept when `file` is not empty; they are counted in any case.
  Manifest(std::filesystem::path file, nlohmann::ordered_json settings)
      : file_(std::move(file)), settings_(std::move(settings)) {}

  void add(const Input& input, const vjepa::TimedClip& clip) {
    ++rows_;
    if (file_.empty()) return;
    listed_.push_back(
        {{"input", input.name}, {"first_frame", clip.first}, {"last_frame", clip.last}, {"seconds", clip.seconds}});
    if (input.label) listed_.back()["label"] = *input.label;
  }
  void failed(const std::string& name, const std::string& reason) {
    ++failures_;
    if (!file_.empty()) failed_.push_back({{"input", name}, {"reason", reason}});
  }
  std::size_t rows() const { return rows_; }
  std::size_t failures() const { return failures_; }
  const std::filesystem::path& file() const { return file_; }

  void write(bool interrupted) const {
    if (file_.empty()) return;
    nlohmann::ordered_json all = settings_;
    all["interrupted"] = interrupted;
    all["rows"] = listed_;
    all["failed"] = failed_;
    vjepa::write_file(file_, all.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }

 private:
  std::filesystem::path file_;
  nlohmann::ordered_json settings_;
  nlohmann::ordered_json listed_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json failed_ = nlohmann::ordered_json::array();
  std::size_t rows_ = 0;
  std::size_t failures_ = 0;
};

/// Runs one encoder over every clip of every input.
class ExtractRun {
 public:
  ExtractRun(AnyFeatures& features, const ExtractOptions& options, const vjepa::Checkpoint& checkpoint)
      : options_(&options), features_(&features), manifest_(manifest_file(options.out), settings(checkpoint)) {
    std::vector<std::string> names;
    for (const Input& input : options_->inputs) names.push_back(input.name);
    std::error_code ignored;
    if (std::filesystem::is_directory(manifest_.file(), ignored)) {
      vjepa::fail(manifest_.file().string(), ": is a folder, where the list of the rows is to be; remove it");
    }
    sink_ = make_sink(options.out, row_shape(), names);
  }

  /// The exit status: 1 when some input could not be read, 130 when interrupted.
  int run() {
    using namespace vjepa;
    if (!features_->diff().empty()) {
      std::fprintf(stderr, "warning: %s: these keep their initial values, or are not used:%s\n",
                   options_->checkpoint.c_str(), features_->diff().text().c_str());
    }
    std::fprintf(stderr, "%s, %lld tokens a clip, on %s\n", options_->model.c_str(),
                 static_cast<long long>(features_->grid().size()), features_->device().c_str());
    const auto full = options_->keep_up ? ClipAhead::Full::drop_oldest : ClipAhead::Full::wait;
    const auto capacity = static_cast<std::size_t>(std::max<Index>(2, options_->batch));
    ClipAhead clips(static_cast<Index>(options_->inputs.size()), options_->workers, capacity, full,
                    [&](Index i, const ClipAhead::Emit& emit) {
                      read_clips(*options_, options_->inputs[static_cast<std::size_t>(i)], emit);
                    });
    const auto total = static_cast<std::int64_t>(options_->inputs.size());
    Progress progress("extract", total, std::max<std::int64_t>(1, total / 20));
    bool stopped = false;
    for (Index i = 0; i < total && !stopped; ++i) {
      stopped = !read_input(clips, i, progress);
      progress.show(i + 1, note());
    }
    clips.stop();
    flush();
    finish(progress, clips.dropped(), stopped);
    return stopped ? 130 : manifest_.failures() > 0 ? 1 : 0;
  }

 private:
  /// Beside the features, empty for lines on standard output, which say it themselves.
  static std::filesystem::path manifest_file(const std::string& out) {
    if (out == "-") return {};
    return is_file_name(out) ? std::filesystem::path(out + ".json") : std::filesystem::path(out) / "manifest.json";
  }

  nlohmann::ordered_json settings(const vjepa::Checkpoint& checkpoint) const {
    const ExtractOptions& o = *options_;
    const std::string prefix = checkpoint.encoder_prefix(o.checkpoint_key);
    return {{"checkpoint", o.checkpoint},
            {"network", prefix.substr(0, prefix.find('.'))},
            {"model", o.model},
            {"device", features_->device()},
            {"pool", o.pool == Pool::mean     ? "mean"
                     : o.pool == Pool::tokens ? "tokens"
                                              : o.probe},
            {"layers", features_->layers()},
            {"size", o.size},
            {"window", o.window},
            {"stride", o.part || o.duration ? nlohmann::ordered_json() : nlohmann::ordered_json(o.stride)},
            {"duration", o.duration && !o.part ? nlohmann::ordered_json(*o.duration) : nlohmann::ordered_json()},
            {"part", o.part ? nlohmann::ordered_json(*o.part) : nlohmann::ordered_json()},
            {"static_camera", *o.static_camera},
            {"row_shape", row_shape()}};
  }

  std::vector<vjepa::Index> row_shape() const {
    std::vector<vjepa::Index> shape;
    const std::size_t layers = features_->layers().size();
    if (layers > 1) shape.push_back(static_cast<vjepa::Index>(layers));
    if (options_->pool == Pool::tokens) shape.push_back(features_->grid().size());
    shape.push_back(features_->dim());
    return shape;
  }

  /// False when interrupted.
  bool read_input(ClipAhead& clips, vjepa::Index i, vjepa::Progress& progress) {
    const Input& input = options_->inputs[static_cast<std::size_t>(i)];
    while (!options_->interrupted()) {
      std::optional<vjepa::TimedClip> clip;
      try {
        clip = clips.next(i);
      } catch (const std::exception& e) {
        report(input, e.what(), progress);
      }
      if (!clip) break;
      pending_.emplace_back(&input, std::move(*clip));
      // A live stream's features are wanted when they are there, not when a batch is full.
      if (options_->keep_up || static_cast<vjepa::Index>(pending_.size()) >= options_->batch) {
        flush();
        progress.show(i, note());
      }
    }
    return !options_->interrupted();
  }

  void report(const Input& input, const std::string& reason, vjepa::Progress& progress) {
    if (options_->interrupted()) return;
    progress.clear();
    std::fprintf(stderr, "failed: %s\n", reason.c_str());
    manifest_.failed(input.name, reason);
  }

  void flush() {
    using namespace vjepa;
    if (pending_.empty()) return;
    std::vector<float> pixels;
    for (const auto& [input, clip] : pending_) pixels.insert(pixels.end(), clip.pixels.begin(), clip.pixels.end());
    const std::vector<std::vector<float>> layers = (*features_)(pixels);
    const std::size_t part = layers.front().size() / pending_.size();
    std::vector<float> row;
    for (std::size_t b = 0; b < pending_.size(); ++b) {
      row.clear();
      for (const std::vector<float>& layer : layers) {
        const auto begin = layer.begin() + static_cast<std::ptrdiff_t>(b * part);
        row.insert(row.end(), begin, begin + static_cast<std::ptrdiff_t>(part));
      }
      const auto& [input, clip] = pending_[b];
      sink_->add(input->name, clip, row);
      manifest_.add(*input, clip);
      unsound_ += std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); }) ? 0 : 1;
    }
    pending_.clear();
  }

  std::string note() const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    char text[64];
    std::snprintf(text, sizeof(text), "%zu clips, %.2f a second", manifest_.rows(),
                  static_cast<double>(manifest_.rows()) / seconds);
    return text;
  }

  void finish(vjepa::Progress& progress, vjepa::Index dropped, bool interrupted) {
    progress.clear();
    if (manifest_.rows() == 0 && interrupted) {
      std::fprintf(stderr, "interrupted before the first clip; nothing was written\n");
      return;
    }
    if (manifest_.rows() == 0) {
      vjepa::fail("no features: none of the ", options_->inputs.size(), " inputs gave a clip; nothing was written");
    }
    sink_->commit();
    manifest_.write(interrupted);
    if (!manifest_.file().empty()) {
      std::fprintf(stderr, "%s: %zu clips, listed in %s\n", options_->out.c_str(), manifest_.rows(),
                   manifest_.file().c_str());
    }
    if (unsound_ > 0) std::fprintf(stderr, "warning: %zu clips have features that are not finite\n", unsound_);
    if (dropped > 0) std::fprintf(stderr, "%td clips were dropped to keep up\n", dropped);
    if (manifest_.failures() > 0) {
      std::fprintf(stderr, "%zu of %zu inputs failed\n", manifest_.failures(), options_->inputs.size());
    }
  }

  const ExtractOptions* options_;
  AnyFeatures* features_;
  Manifest manifest_;
  std::unique_ptr<FeatureSink> sink_;
  std::vector<std::pair<const Input*, vjepa::TimedClip>> pending_;
  std::size_t unsound_ = 0;  // clips with features that are not finite
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};
