#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/read_ahead.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/train/any_probe.hpp"
#include "vjepa/train/feature_scale.hpp"
#include "vjepa/train/fixed_pass.hpp"
#include "vjepa/train/fixed_views.hpp"
#include "vjepa/train/nearest_neighbours.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_files.hpp"
#include "vjepa/train/probe_metrics.hpp"
#include "vjepa/train/probe_position.hpp"
#include "vjepa/train/probe_results.hpp"
#include "vjepa/train/probe_sets.hpp"
#include "vjepa/train/probe_settings.hpp"
#include "vjepa/train/probe_step.hpp"
#include "vjepa/train/probe_views.hpp"
#include "vjepa/train/progress.hpp"
#include "vjepa/train/train_samples.hpp"
#include "vjepa/version.hpp"

namespace vjepa {

/// How an evaluation is started, beside its configuration.
struct ProbeOptions {
  bool resume = false;                                       // go on from the latest checkpoint, if there is one
  bool overwrite = false;                                    // begin anew where a run has been
  std::function<bool()> interrupted = [] { return false; };  // asked after every step
};

/// A frozen evaluation from labelled videos or images to accuracies (the official video_classification_frozen and
/// image_classification_frozen). In its folder it keeps
///
///   <tag>-latest.safetensors   the classifiers and everything needed to go on, after every epoch
///   <tag>_r0.csv               a row an epoch
///   <tag>-accuracy.svg         the same as a picture
///   results.json               every figure, and the settings
///   confusion.csv, .svg        how often each class was taken for each, in the latest epoch
///   classes.csv                accuracy of each class
///   features/                  what the encoder made of views that do not change
///
/// A run that is stopped, however, and resumed writes the same bytes as one that is not.
class ProbeRun {
 public:
  /// The probe that is made is the configuration's. Throws Error when a list, the folder or a checkpoint cannot be
  /// used.
  ProbeRun(const ProbeConfig& config, ProbeOptions options, const MakeProbe& make_probe)
      : config_(config),
        options_(std::move(options)),
        files_{config.folder, config.pretrain.write_tag},
        sets_(config),
        decoder_(config.data.decode_on),
        ipe_((sets_.train.size() + config.optimization.batch_size - 1) / config.optimization.batch_size),
        probe_(make_probe(Checkpoint(config.pretrain.path()), ipe_)),
        validation_(encoder(), fixed_view_reader(config, validation_views(config), decoder_),
                    {.wants_tokens = true, .keeps_tokens = fits_cache(validation_tokens()), .folder = cache_folder()}),
        training_(encoder(), fixed_view_reader(config, training_views(config), decoder_),
                  {.wants_tokens = config.probe.fixed_train_views,
                   .keeps_tokens = fits_cache(validation_tokens() + training_tokens()),
                   .folder = cache_folder()}),
        neighbours_(new_neighbours()),
        confusion_(sets_.classes) {
    start();
  }

  ProbeRun(const ProbeRun&) = delete;

  const ProbeFiles& files() const { return files_; }
  const ProbeSets& sets() const { return sets_; }
  const ProbeResults& results() const { return position_.results; }
  std::int64_t steps() const { return position_.steps; }
  Index iterations_per_epoch() const { return ipe_; }
  const AnyProbe& probe() const { return *probe_; }

  /// Trains and evaluates to the last epoch. False when interrupted; the state is saved all the same. Throws Error when
  /// no file can be read, one not written, or the loss is not finite.
  bool run() {
    const Index epochs = config_.optimization.num_epochs;
    if (config_.probe.cache_gb > 0 && !fits_cache(validation_tokens())) {
      std::fprintf(stderr, "note: the validation tokens take more than probe.cache_gb = %g; each epoch encodes anew\n",
                   config_.probe.cache_gb);
    }
    if (static_cast<Index>(position_.results.epochs.size()) < epochs && !read_training_means()) {
      save();
      return false;
    }
    while (static_cast<Index>(position_.results.epochs.size()) < epochs) {
      if (!train_epoch() || !evaluate()) {
        save();
        return false;
      }
      end_epoch();
    }
    return true;
  }

 private:
  using SamplesAhead = ReadAhead<TrainSample>;

  AnyFrozenEncoder& encoder() const { return probe_->encoder(); }

  std::filesystem::path cache_folder() const {
    return config_.probe.cache_gb > 0 ? files_.features() : std::filesystem::path();
  }
  /// Tokens of the views of all files.
  Index tokens_of(const VideoList& list, const ViewShape& views) const {
    return list.size() * views.segments * views.views * encoder().tokens();
  }
  Index validation_tokens() const { return tokens_of(sets_.val, validation_views(config_)); }
  Index training_tokens() const { return tokens_of(sets_.train, training_views(config_)); }
  /// Whether so many may be kept.
  bool fits_cache(Index tokens) const {
    return static_cast<double>(tokens * encoder().dim()) * static_cast<double>(size_of(encoder().dtype())) <=
           config_.probe.cache_gb * 1e9;
  }
  int threads() const { return std::max(1, config_.data.num_workers); }

  void start() {
    std::error_code error;
    std::filesystem::create_directories(files_.folder, error);
    if (error) fail("logging.folder ", files_.folder.string(), ": cannot be made: ", error.message());
    const bool been = std::filesystem::exists(files_.latest());
    if (been && !options_.overwrite) {
      if (options_.resume || config_.resume_checkpoint) return load();
      fail(files_.latest().string(),
           ": a run has been here; go on with --resume, begin anew with --overwrite, or choose another logging.folder");
    }
    files_.remove();
  }

  /// Samples of a step of an epoch, counted from 0: every file comes once an epoch, and the last batch may be smaller.
  Index batch_size(Index step) const {
    const Index full = config_.optimization.batch_size;
    return std::min(full, sets_.train.size() - step * full);
  }

  /// The rest of the epoch under way. False when interrupted.
  bool train_epoch() {
    const auto epoch = static_cast<std::int64_t>(position_.results.epochs.size());
    const std::int64_t first = position_.steps;
    const Index steps = static_cast<Index>((epoch + 1) * ipe_ - first);
    if (steps == 0) return true;
    const Index batch = config_.optimization.batch_size;
    const Index done = (first - epoch * ipe_) * batch;  // samples
    const TrainSamples samples(config_, sets_.train, decoder_, training_);
    SamplesAhead ahead(sets_.train.size() - done, threads(), static_cast<std::size_t>(2 * batch + threads()),
                       SamplesAhead::Full::wait, [&](Index i, const auto& emit) {
                         const Index task = epoch * sets_.train.size() + done + i;
                         emit(samples(static_cast<std::uint64_t>(task)));
                       });
    Progress progress(text("epoch ", epoch + 1), ipe_, std::max<Index>(1, ipe_ / 10));
    for (Index step = 0; step < steps; ++step) {
      train_step(ahead, step * batch, progress);
      char note[64];
      std::snprintf(note, sizeof(note), "loss %.4f  train %.2f %%",
                    position_.loss / static_cast<double>(position_.steps - epoch * ipe_), position_.train.top1());
      progress.show(position_.steps - epoch * ipe_, note);
      if (options_.interrupted()) return false;
    }
    return true;
  }

  /// One step on the samples from `begin` on.
  void train_step(SamplesAhead& ahead, Index begin, Progress& progress) {
    const Index batch = batch_size(position_.steps % ipe_);
    probe_->begin(batch);
    std::vector<float> means;
    std::vector<std::int32_t> labels;
    for (Index b = 0; b < batch; ++b) {
      TrainSample sample = std::move(*ahead.next(begin + b));
      if (!sample.skipped.empty()) progress.clear();
      for (const std::string& reason : sample.skipped) complain(reason);
      labels.push_back(static_cast<std::int32_t>(sets_.train.label(sample.item)));
      put_training(b, sample, means);
    }
    const ProbeStep result = probe_->step(means, labels);
    ++position_.steps;
    position_.loss += result.loss;
    for (std::size_t b = 0; b < labels.size(); ++b) {
      position_.train.add(row(result.logits, b), labels[b]);
    }
  }

  /// Puts sample `b` into the batch, and the mean of its tokens, scaled, at the end of `means`.
  void put_training(Index b, TrainSample& sample, std::vector<float>& means) {
    std::vector<float> mean;
    if (config_.probe.fixed_train_views) {
      training_.complete(sample.fixed);
      probe_->put(b, sample.fixed.features);
      mean = std::move(sample.fixed.features.mean);
    } else {
      mean = probe_->put(b, sample.views.clips, sample.views.numbers);
    }
    const std::vector<float> scaled = position_.scale(mean);
    means.insert(means.end(), scaled.begin(), scaled.end());
  }

  /// Tells why a file is skipped, once.
  void complain(const std::string& reason) {
    if (told_.insert(reason).second) std::fprintf(stderr, "skipped: %s\n", reason.c_str());
  }

  std::span<const float> row(const std::vector<float>& logits, std::size_t i) const {
    const auto classes = static_cast<std::size_t>(config_.data.num_classes);
    return std::span(logits).subspan(i * classes, classes);
  }

  NearestNeighbours new_neighbours() const {
    return {config_.data.num_classes, config_.probe.knn_k, config_.probe.knn_temperature};
  }

  /// Whether the validation set is still to be told by nearest neighbours.
  bool vote_due() const { return config_.probe.knn && position_.results.nearest.samples == 0; }

  /// What nearest neighbours and the linear probe's scale are made of: the means of the training set in fixed views.
  /// A resumed run that has both already does without. False when interrupted.
  bool read_training_means() {
    if (!vote_due() && !(config_.probe.linear && position_.scale.empty())) return true;
    FeatureMoments moments;
    std::vector<std::string> skipped;
    neighbours_ = new_neighbours();
    if (!each_fixed(
            training_, sets_.train, threads(), "training means", options_.interrupted,
            [&](Index i, const auto& features) {
              const auto finite = [](float v) { return std::isfinite(v); };
              if (!std::all_of(features.mean.begin(), features.mean.end(), finite)) {
                return skipped.push_back(sets_.train.path(i).string() + ": its features are not finite");
              }
              moments.add(features.mean);
              neighbours_.add(features.mean, sets_.train.label(i));
            },
            [&](const std::string& reason) { skipped.push_back(reason); })) {
      return false;
    }
    position_.scale = moments.scale();
    position_.results.train_skipped = std::move(skipped);
    return true;
  }

  /// Evaluates on the validation set. False when interrupted.
  bool evaluate() {
    const bool vote = vote_due();
    confusion_ = ConfusionMatrix(sets_.classes);
    val_ = linear_ = {};
    NeighbourAccuracy nearest(neighbours_);
    std::vector<std::string> skipped;
    const auto use = [&](Index i, const ViewFeatures& features) {
      const std::int64_t label = sets_.val.label(i);
      const std::vector<double> p = mean_softmax(probe_->logits(features), config_.data.num_classes);
      val_.add(p, label);
      confusion_.add(static_cast<std::size_t>(label), ranked(p).front());
      if (config_.probe.linear) linear_.add(probe_->linear_logits(position_.scale(features.mean)), label);
      if (vote) nearest.add(features.mean, label);
    };
    if (!each_fixed(validation_, sets_.val, threads(), "validation", options_.interrupted, use,
                    [&](const std::string& reason) {
                      complain(reason);
                      skipped.push_back(reason);
                    })) {
      return false;
    }
    if (val_.samples == 0) fail("none of the validation files can be used; the first: ", skipped.front());
    if (vote) position_.results.nearest = nearest.finish();
    position_.results.skipped = std::move(skipped);
    return true;
  }

  void end_epoch() {
    const ProbeEpoch epoch{.train_loss = position_.loss / static_cast<double>(ipe_),
                           .train_top1 = position_.train.top1(),
                           .train_top5 = position_.train.top5(),
                           .val_top1 = val_.top1(),
                           .val_top5 = val_.top5(),
                           .linear_top1 = linear_.top1(),
                           .linear_top5 = linear_.top5()};
    position_.results.epochs.push_back(epoch);
    std::printf("epoch %zu/%lld: loss %.4f, train top-1 %.2f %%, validation top-1 %.2f %%, top-5 %.2f %%",
                position_.results.epochs.size(), static_cast<long long>(config_.optimization.num_epochs),
                epoch.train_loss, epoch.train_top1, epoch.val_top1, epoch.val_top5);
    if (config_.probe.linear) std::printf("; linear %.2f %%, %.2f %%", epoch.linear_top1, epoch.linear_top5);
    if (config_.probe.knn)
      std::printf("; k-NN %.2f %%, %.2f %%", position_.results.nearest.top1(), position_.results.nearest.top5());
    const std::size_t skipped = position_.results.skipped.size();
    std::printf("%s\n", skipped == 0 ? "" : text("; ", skipped, " skipped").c_str());
    std::fflush(stdout);
    position_.loss = 0;
    position_.train = {};
    write_results();
    save();
  }

  void write_results() const {
    position_.results.write_csv(files_.log());
    position_.results.write_chart(files_.chart(), config_.pretrain.write_tag + ": frozen evaluation",
                                  config_.probe.linear);
    confusion_.write_csv(files_.confusion("csv"));
    confusion_.write_svg(files_.confusion("svg"), text("epoch ", position_.results.epochs.size()));
    confusion_.write_class_accuracy(files_.classes());
    const Json head = {{"vjepa_version", version()},
                       {"encoder_sha256", encoder().digest()},
                       {"train_files", sets_.train.size()},
                       {"val_files", sets_.val.size()},
                       {"iterations_per_epoch", ipe_}};
    position_.results.write_json(files_.results(), head, confusion_, probe_settings(config_));
  }

  void save() {
    StateDict state;
    probe_->save(state);
    position_.save(state);
    auto metadata = position_.metadata(config_, encoder().digest(), sets_);
    metadata["vjepa_version"] = version();
    write_safetensors(files_.latest(), state.tensors(), metadata);
  }

  void load() {
    const Checkpoint file(files_.latest());
    position_.load(file, config_, encoder().digest(), sets_, encoder().dim());
    probe_->load(file, position_.steps);
  }

  ProbeConfig config_;
  ProbeOptions options_;
  ProbeFiles files_;
  ProbeSets sets_;
  DecodingDevice decoder_;
  Index ipe_;
  std::unique_ptr<AnyProbeInTraining> probe_;
  FixedViews validation_;
  FixedViews training_;
  NearestNeighbours neighbours_;
  ProbePosition position_;
  ConfusionMatrix confusion_;  // of the latest evaluation, like the two below
  TopK val_;
  TopK linear_;
  std::set<std::string> told_;
};

}  // namespace vjepa
