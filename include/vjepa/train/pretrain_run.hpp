#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/data/loader.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/train/any_pretrainer.hpp"
#include "vjepa/train/csv_log.hpp"
#include "vjepa/train/line_chart.hpp"
#include "vjepa/train/pretrain_config.hpp"
#include "vjepa/train/pretrain_settings.hpp"
#include "vjepa/train/progress.hpp"
#include "vjepa/train/run_state.hpp"
#include "vjepa/train/step_report.hpp"
#include "vjepa/train/watch_log.hpp"
#include "vjepa/version.hpp"

namespace vjepa {

/// How a run is started, beside its configuration.
struct PretrainOptions {
  bool resume = false;                                       // go on from the latest checkpoint, if there is one
  bool overwrite = false;                                    // begin anew where a run has been
  Index watch = 0;                                           // steps between looks at how the targets spread; 0: none
  std::function<bool()> interrupted = [] { return false; };  // asked after every step
};

/// The files of a run in its logging folder.
struct RunFiles {
  std::filesystem::path folder;
  std::string tag;

  std::filesystem::path latest() const { return folder / (tag + "-latest.safetensors"); }
  std::filesystem::path epoch(Index e) const { return folder / text(tag, "-e", e, ".safetensors"); }
  std::filesystem::path log() const { return folder / (tag + "_r0.csv"); }
  std::filesystem::path chart() const { return folder / (tag + "-loss.svg"); }
  std::filesystem::path watch_log() const { return folder / (tag + "_watch.csv"); }
  std::filesystem::path watch_chart() const { return folder / (tag + "-watch.svg"); }

  /// Removes what a run wrote; the latest checkpoint last, so that the files of a run whose removal is broken off still
  /// have it beside them.
  void remove() const {
    const std::string begin = tag + "-e";
    const std::string end = ".safetensors";
    std::vector<std::filesystem::path> files{log(), chart(), watch_log(), watch_chart()};
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.size() <= begin.size() + end.size() || !name.starts_with(begin) || !name.ends_with(end)) continue;
      const auto number = std::string_view(name).substr(begin.size(), name.size() - begin.size() - end.size());
      if (number.find_first_not_of("0123456789") == std::string_view::npos) files.push_back(entry.path());
    }
    files.push_back(latest());
    for (const auto& file : files) std::filesystem::remove(file);
  }
};

/// A pretraining run from videos to checkpoints: the loop, its log, its files. In the logging folder it keeps
///
///   <tag>-latest.safetensors   everything needed to go on, after every epoch and every `save_every_minutes`, and
///                              when the run ends with an error
///   <tag>-e<N>.safetensors     the same after epoch N = 0, save_every_freq, 2 save_every_freq, ...
///   <tag>_r0.csv               a row a step
///   <tag>-loss.svg             the loss curve, drawn with every checkpoint
///   <tag>_watch.csv, -watch.svg  with `watch`: how the targets spread, and whether they collapse
///
/// A run that is stopped, however, and resumed writes the same bytes as one that is not, times aside.
class PretrainRun {
 public:
  /// The pretrainer that is made is the configuration's. Throws Error when a list, the folder or a checkpoint cannot be
  /// used.
  PretrainRun(const PretrainConfig& config, PretrainOptions options, const MakePretrainer& make_pretrainer)
      : config_(config),
        options_(std::move(options)),
        files_{config.logging.folder, config.logging.write_tag},
        resume_from_(find_start()),
        list_(listed(config)),
        settings_(pretrain_settings(config, list_)),
        decoder_(config.data.decode_on),
        ipe_(config.optimization.ipe.value_or(std::max<Index>(1, list_.size() / config.data.batch_size))),
        trainer_(make_pretrainer(ipe_)) {
    if (resume_from_.empty()) {
      position_.batches_read = config_.meta.skip_batches;
    } else {
      const Checkpoint file(resume_from_);
      check_same_run(file);
      position_ = trainer_->load(file);
    }
  }

  const RunFiles& files() const { return files_; }
  const VideoList& videos() const { return list_; }
  const RunPosition& position() const { return position_; }
  const AnyPretrainer& trainer() const { return *trainer_; }
  Index iterations_per_epoch() const { return ipe_; }

  /// Trains to the last epoch. False when interrupted; the state is saved all the same. Throws Error when no video can
  /// be read, a file not written, or the loss is not finite; the steps before it are saved if they can be. The files of
  /// a run that is to be overwritten are removed after the first step.
  bool run() {
    saved_steps_ = position_.steps;
    try {
      return train();
    } catch (...) {
      keep_steps();
      throw;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  static double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }
  double minutes_since_save() const { return milliseconds(Clock::now() - last_save_) / 60000; }

  /// Saves what an error would lose.
  void keep_steps() {
    if (position_.steps == saved_steps_) return;
    try {
      save(files_.latest());
    } catch (const Error& e) {
      std::fprintf(stderr, "the last %lld steps are lost: %s\n", static_cast<long long>(position_.steps - saved_steps_),
                   e.what());
    }
  }

  bool train() {
    const Index epochs = config_.optimization.epochs;
    const std::int64_t total = epochs * ipe_;
    if (position_.steps >= total) return true;
    Progress progress("pretrain", total, std::max<std::int64_t>(1, total / 200));
    Loader loader(list_, loader_options(), position_.batches_read + trainer_->staged());
    last_save_ = Clock::now();
    while (position_.steps < total) {
      const std::string note = step(loader, progress);
      progress.show(position_.steps, note);
      const bool epoch_done = position_.steps % ipe_ == 0;
      if (epoch_done) end_epoch(progress);
      if (position_.steps < total && options_.interrupted()) {
        if (!epoch_done) save(files_.latest());
        return false;
      }
      if (!epoch_done && config_.meta.save_every_minutes && minutes_since_save() >= *config_.meta.save_every_minutes) {
        save(files_.latest());
      }
    }
    return true;
  }

  /// The checkpoint to go on from, empty to begin anew.
  std::filesystem::path find_start() const {
    std::error_code error;
    std::filesystem::create_directories(files_.folder, error);
    if (error) fail("logging.folder ", files_.folder.string(), ": cannot be made: ", error.message());
    const bool resume = !options_.overwrite && (options_.resume || config_.meta.load_checkpoint);
    if (resume && config_.meta.read_checkpoint) {
      auto named = files_.folder / *config_.meta.read_checkpoint;
      if (!std::filesystem::exists(named)) fail(named.string(), ": no such checkpoint (meta.read_checkpoint)");
      return named;
    }
    if (!std::filesystem::exists(files_.latest())) return {};
    if (resume) return files_.latest();
    if (!options_.overwrite) {
      fail(files_.latest().string(),
           ": a run has been here; go on with --resume, begin anew with --overwrite, or choose another logging.folder");
    }
    return {};
  }

  static VideoList listed(const PretrainConfig& config) {
    if (config.data.datasets.empty()) fail("data.datasets is empty; give CSV lists, or folders of videos");
    VideoList list;
    for (const std::string& source : config.data.datasets) list.add(source);
    return list;
  }

  LoaderOptions loader_options() const {
    const auto& data = config_.data;
    const auto& aug = config_.data_aug;
    LoaderOptions o;
    o.batch_size = data.batch_size;
    o.workers = data.num_workers;
    o.seed = config_.meta.seed;
    o.weights = data.datasets_weights;
    o.sampler = {.frames_per_clip = data.num_frames,
                 .frame_step = data.sampling_rate,
                 .duration = data.clip_duration,
                 .part = data.clip_part,
                 .num_clips = data.num_clips};
    o.transform = {.size = data.crop_size,
                   .scale = aug.random_resize_scale,
                   .aspect_ratio = aug.random_resize_aspect_ratio,
                   .flip = aug.random_horizontal_flip,
                   .motion_shift = aug.motion_shift,
                   .static_camera = data.static_camera,
                   .augment = {},
                   .erasing = {}};
    if (aug.auto_augment) o.transform.augment = RandomAugment{};
    if (aug.reprob > 0) o.transform.erasing = RandomErasing{.probability = aug.reprob};
    o.filter_short_videos = data.filter_short_videos;
    o.filter_long_videos = data.filter_long_videos;
    o.cut_only = data.resize_on_device;
    o.decoder = decoder_;
    o.cache_bytes = static_cast<std::size_t>(data.cache_gb * 1e9);
    return o;
  }

  /// Waits for the clips of a step and stages them.
  void load(Loader& loader, Progress& progress) {
    const auto begin = Clock::now();
    const ClipBatch& batch = loader.next([&](const std::string& complaint) {
      progress.clear();
      std::fprintf(stderr, "skipped: %s\n", complaint.c_str());
    });
    waited_ += milliseconds(Clock::now() - begin);
    skipped_ = batch.skipped;
    if (config_.data.resize_on_device) {
      trainer_->stage(batch.cut);
    } else {
      trainer_->stage(batch.clips);
    }
  }

  /// Begins the logs, when there is a step to write: until then, nothing of a run that is to be overwritten is lost.
  void begin_logs() {
    if (log_) return;
    if (options_.overwrite) files_.remove();
    log_.emplace(files_.log(), position_.steps);
    if (options_.watch > 0) watch_.emplace(files_.watch_log(), position_.steps);
  }

  /// One step; returns what to say of it.
  std::string step(Loader& loader, Progress& progress) {
    const auto begin = Clock::now();
    const double waited = waited_;
    std::optional<FeatureSpread> spread;
    if (trainer_->staged() == 0) load(loader, progress);
    const Index skipped = skipped_;
    if (options_.watch > 0 && position_.steps % options_.watch == 0) spread = trainer_->target_spread();
    const auto loaded = Clock::now();
    // The next clips are staged while the device works.
    const bool ahead = trainer_->stages_beside() && position_.steps + 1 < ipe_ * config_.optimization.epochs;
    const StepReport report = trainer_->step_staged([&] {
      if (ahead) load(loader, progress);
    });
    const auto end = Clock::now();

    begin_logs();
    // Together, so that what is saved after an error is the state after a step.
    const std::int64_t itr = position_.steps % ipe_;
    const std::int64_t epoch = position_.steps / ipe_;
    ++position_.batches_read;
    ++position_.steps;
    position_.videos_skipped += skipped;
    position_.epoch_loss += report.loss;
    position_.epoch_jepa += report.jepa;
    position_.epoch_reg += report.reg;
    if (spread) watch(report.loss, *spread, progress);
    log_->write({.epoch = epoch + 1,
                 .itr = itr,
                 .loss = report.loss,
                 .jepa = report.jepa,
                 .reg = report.reg,
                 .encoder_norm = report.encoder_norm,
                 .predictor_norm = report.predictor_norm,
                 .step_ms = milliseconds(end - loaded),
                 .wall_ms = milliseconds(end - begin)});
    spent_ += milliseconds(end - begin);
    char note[128];
    std::snprintf(note, sizeof(note), "epoch %lld  loss %.4f  lr %.2e  %.0f ms (%.0f waiting)",
                  static_cast<long long>(epoch + 1), report.loss, report.lr, milliseconds(end - begin),
                  waited_ - waited);
    return note;
  }

  void watch(double loss, const FeatureSpread& spread, Progress& progress) {
    watch_->write(position_.steps - 1, loss, spread);
    if (!watch_->collapsed() || warned_) return;
    warned_ = true;
    progress.clear();
    std::fprintf(stderr,
                 "warning: the targets collapse: %s. Try a lower optimization.lr, optimization.ema nearer to 1, "
                 "a larger batch, or loss.reg_coeff above 0\n",
                 watch_->comparison().c_str());
  }

  void end_epoch(Progress& progress) {
    const auto epoch = static_cast<Index>(position_.steps / ipe_) - 1;
    const auto n = static_cast<double>(ipe_);
    progress.clear();
    std::printf(
        "epoch %lld/%lld: loss %.4f (jepa %.4f, reg %.4f), %.1f s, %.0f %% waiting for data, %lld videos skipped\n",
        static_cast<long long>(epoch + 1), static_cast<long long>(config_.optimization.epochs),
        position_.epoch_loss / n, position_.epoch_jepa / n, position_.epoch_reg / n, spent_ / 1000,
        spent_ > 0 ? 100 * waited_ / spent_ : 0, static_cast<long long>(position_.videos_skipped));
    std::fflush(stdout);
    position_.videos_skipped = 0;
    position_.epoch_loss = position_.epoch_jepa = position_.epoch_reg = 0;
    waited_ = spent_ = 0;
    // The latest last: a run that is killed between the two does the epoch's end again.
    if (config_.meta.save_every_freq && epoch % *config_.meta.save_every_freq == 0) save(files_.epoch(epoch));
    save(files_.latest());
  }

  void save(const std::filesystem::path& path) {
    std::map<std::string, std::string> description = pretrain_identity(config_, ipe_);
    description["vjepa_version"] = version();
    description.insert(settings_.begin(), settings_.end());
    trainer_->save(path, position_, std::move(description));
    draw_chart();
    if (watch_) watch_->draw(files_.watch_chart());
    last_save_ = Clock::now();
    saved_steps_ = position_.steps;
  }

  /// A run goes on as what it was begun as. What else it was begun with may change, but not unnoticed.
  void check_same_run(const Checkpoint& file) const {
    const auto each_difference = [&](const std::map<std::string, std::string>& own, auto&& differs) {
      for (const auto& [key, value] : own) {
        const auto saved = file.metadata(key);
        if (saved && *saved != value) differs(key, *saved, value);
      }
    };
    each_difference(pretrain_identity(config_, ipe_),
                    [&](const std::string& key, const std::string& saved, const std::string& value) {
                      fail(resume_from_.string(), ": the run has ", key, " = ", saved, ", the configuration ", value,
                           "; set it to ", saved, " to resume, or begin anew with --overwrite");
                    });
    each_difference(settings_, [&](const std::string& key, const std::string& saved, const std::string& value) {
      std::fprintf(stderr, "warning: %s: the run has had %s = %s until now, and goes on with %s\n",
                   resume_from_.c_str(), key.c_str(), saved.c_str(), value.c_str());
    });
  }

  void draw_chart() const {
    std::vector<double> steps;
    std::vector<double> losses;
    std::vector<double> smooth;
    std::ifstream log(files_.log());
    std::string line;
    std::getline(log, line);
    while (std::getline(log, line)) {
      long long epoch = 0;
      long long itr = 0;
      double loss = 0;
      if (std::sscanf(line.c_str(), "%lld,%lld,%lf", &epoch, &itr, &loss) != 3) continue;
      steps.push_back(static_cast<double>((epoch - 1) * ipe_ + itr + 1));
      losses.push_back(loss);
      smooth.push_back(smooth.empty() ? loss : 0.95 * smooth.back() + 0.05 * loss);
    }
    LineChart chart(files_.tag + ": loss", "step", "loss");
    chart.add("each step", steps, losses, true);
    chart.add("moving average over 20 steps", std::move(steps), std::move(smooth));
    chart.write(files_.chart());
  }

  PretrainConfig config_;
  PretrainOptions options_;
  RunFiles files_;
  std::filesystem::path resume_from_;
  VideoList list_;
  std::map<std::string, std::string> settings_;
  DecodingDevice decoder_;
  Index ipe_;
  std::unique_ptr<AnyPretrainer> trainer_;
  RunPosition position_;
  std::optional<CsvLog> log_;
  std::optional<WatchLog> watch_;
  bool warned_ = false;  // of a collapse
  Index skipped_ = 0;    // videos, of the clips that were staged last
  double waited_ = 0;    // milliseconds, in the epoch under way
  double spent_ = 0;
  Clock::time_point last_save_;
  std::int64_t saved_steps_ = 0;  // of the latest checkpoint
};

}  // namespace vjepa
