#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/train/feature_scale.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_metrics.hpp"
#include "vjepa/train/probe_results.hpp"
#include "vjepa/train/probe_sets.hpp"
#include "vjepa/train/probe_settings.hpp"

namespace vjepa {

/// Where a frozen evaluation stands, beside its classifiers and their moments. Schedules and random numbers are
/// functions of the seed and the number of the step.
struct ProbePosition {
  std::int64_t steps = 0;  // trained
  double loss = 0;         // sum over the steps of the epoch under way
  TopK train;              // of the epoch under way
  FeatureScale scale;      // of what the linear classifier sees; empty until the training set has been read
  ProbeResults results;

  static constexpr const char* format = "vjepa probe";

  /// Adds what is not text to a checkpoint.
  void save(StateDict& state) const {
    state.add("run.loss", {1}, std::vector<double>{loss});
    state.add("run.train", {3}, counts(train));
    state.add("run.nearest", {3}, counts(results.nearest));
    scale.save(state);
    const std::vector<double> table = results.table();
    const auto columns = static_cast<Index>(ProbeEpoch::fields.size());
    if (!table.empty()) state.add("run.epochs", {static_cast<Index>(table.size()) / columns, columns}, table);
  }

  /// The text of a checkpoint: with it, vjepa-classify needs no configuration, and a resumed run knows that it is the
  /// same.
  std::map<std::string, std::string> metadata(const ProbeConfig& config, const std::string& encoder,
                                              const ProbeSets& sets) const {
    return {{"format", format},
            {"epoch", text(results.epochs.size())},
            {"batch_size", text(config.optimization.batch_size)},
            {"steps", text(steps)},
            {"opt.step", text(steps)},
            {"encoder_sha256", encoder},
            {"settings", probe_settings(config).dump()},
            {"sets_sha256", sets.digest},
            {"train_skipped", train_skipped().dump(-1, ' ', false, Json::error_handler_t::replace)},
            {"classes", Json(sets.classes).dump()}};
  }

  /// Reads both. Throws Error that says what does not fit: another kind of file, other settings, another encoder, other
  /// videos or labels.
  void load(const Checkpoint& file, const ProbeConfig& config, const std::string& encoder, const ProbeSets& sets,
            Index dim) {
    const std::string path = file.path().string();
    if (file.metadata("format") != format) fail(path, ": not the state of a frozen evaluation");
    check_same_run(file, config, encoder, sets);
    const std::string number = file.metadata("steps").value_or("");
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), steps);
    if (error != std::errc{} || end != number.data() + number.size()) {
      fail(path, ": the run's 'steps' is missing or no number");
    }
    const auto sum = file.at("run.loss").as<double>();
    if (sum.size() != 1) fail(path, ": 'run.loss' is not one number");
    loss = sum[0];
    train = top_k(file, "run.train");
    results.nearest = top_k(file, "run.nearest");
    scale.load(file, dim);
    read_train_skipped(file);
    if (const StoredTensor* table = file.find("run.epochs")) results.read_table(table->as<double>(), path);
  }

 private:
  static std::vector<std::int64_t> counts(const TopK& t) { return {t.samples, t.first, t.among_five}; }
  static TopK top_k(const Checkpoint& file, const char* name) {
    const auto counts = file.at(name).as<std::int64_t>();
    if (counts.size() != 3) fail(file.path().string(), ": '", name, "' is not three numbers");
    return {counts[0], counts[1], counts[2]};
  }

  /// The reasons, or null where the training set has not been read.
  Json train_skipped() const { return results.train_skipped ? Json(*results.train_skipped) : Json(); }
  void read_train_skipped(const Checkpoint& file) {
    results.train_skipped.reset();
    const Json reasons = Json::parse(file.metadata("train_skipped").value_or("null"), nullptr, false);
    if (reasons.is_null()) return;
    const auto is_text = [](const Json& reason) { return reason.is_string(); };
    if (!reasons.is_array() || !std::all_of(reasons.begin(), reasons.end(), is_text)) {
      fail(file.path().string(), ": the run's 'train_skipped' is no list of texts");
    }
    results.train_skipped = reasons.get<std::vector<std::string>>();
  }

  /// A run is resumed as it was begun; with other values it would be another run.
  static void check_same_run(const Checkpoint& file, const ProbeConfig& config, const std::string& encoder,
                             const ProbeSets& sets) {
    const std::string path = file.path().string();
    const Json saved = Json::parse(file.metadata("settings").value_or("{}"), nullptr, false);
    const Json settings = probe_settings(config);
    for (const auto& [key, value] : settings.items()) {
      const bool moved = key == "pretrain.folder" || key == "pretrain.checkpoint";
      if (moved || !saved.is_object() || !saved.contains(key) || saved[key] == value) continue;
      fail(path, ": the run has ", key, " = ", saved[key].dump(), ", the configuration ", value.dump(), "; set it to ",
           saved[key].dump(), " to resume, or begin anew with --overwrite");
    }
    if (file.metadata("encoder_sha256") != encoder) {
      fail(path, ": the run has another encoder than ", config.pretrain.path().string(),
           "; give pretrain.checkpoint the one it had, or begin anew with --overwrite");
    }
    if (file.metadata("sets_sha256") != sets.digest) {
      fail(path, ": the run had other files or labels than ", ProbeSets::sources(config),
           " name now, or does not remember them; put them back, or begin anew with --overwrite");
    }
  }
};

}  // namespace vjepa
