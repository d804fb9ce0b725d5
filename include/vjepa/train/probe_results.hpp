#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/train/line_chart.hpp"
#include "vjepa/train/probe_metrics.hpp"

namespace vjepa {

/// The figures of one epoch; accuracies in percent.
struct ProbeEpoch {
  double train_loss = 0;
  double train_top1 = 0;
  double train_top5 = 0;
  double val_top1 = 0;
  double val_top5 = 0;
  double linear_top1 = 0;
  double linear_top5 = 0;

  static constexpr std::array<double ProbeEpoch::*, 7> fields = {
      &ProbeEpoch::train_loss, &ProbeEpoch::train_top1,  &ProbeEpoch::train_top5, &ProbeEpoch::val_top1,
      &ProbeEpoch::val_top5,   &ProbeEpoch::linear_top1, &ProbeEpoch::linear_top5};
  static constexpr std::array<const char*, 7> names = {"train_loss", "train_top1",  "train_top5", "val_top1",
                                                       "val_top5",   "linear_top1", "linear_top5"};
};

/// Everything that a run found out so far.
struct ProbeResults {
  std::vector<ProbeEpoch> epochs;
  TopK nearest;                      // by nearest neighbours; no samples where it was not asked for
  std::vector<std::string> skipped;  // validation files that could not be read, with the reasons
  /// Of the training files, where nearest neighbours or the linear probe read them before the first epoch.
  std::optional<std::vector<std::string>> train_skipped;

  /// Rows [epochs, fields] of a checkpoint.
  std::vector<double> table() const {
    std::vector<double> values;
    for (const ProbeEpoch& epoch : epochs) {
      for (const auto field : ProbeEpoch::fields) values.push_back(epoch.*field);
    }
    return values;
  }
  /// Throws Error, naming the file, when these are no whole rows.
  void read_table(const std::vector<double>& values, const std::string& file) {
    if (values.size() % ProbeEpoch::fields.size() != 0) {
      fail(file, ": its figures of epochs are ", values.size(), " numbers, not ", ProbeEpoch::fields.size(),
           " for each");
    }
    epochs.assign(values.size() / ProbeEpoch::fields.size(), {});
    for (std::size_t i = 0; i < values.size(); ++i) {
      epochs[i / ProbeEpoch::fields.size()].*ProbeEpoch::fields[i % ProbeEpoch::fields.size()] = values[i];
    }
  }

  /// The official log, whose columns `loss` and `acc` hold the accuracies on training and validation, and more columns
  /// after them.
  void write_csv(const std::filesystem::path& path) const {
    std::string out = "epoch,loss,acc,train-loss,train-top5,val-top5,linear-top1,linear-top5\n";
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      const ProbeEpoch& e = epochs[i];
      char line[256];
      std::snprintf(line, sizeof(line), "%zu,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f,%.5f\n", i + 1, e.train_top1, e.val_top1,
                    e.train_loss, e.train_top5, e.val_top5, e.linear_top1, e.linear_top5);
      out += line;
    }
    write_file(path, out);
  }

  /// Accuracy over the epochs.
  void write_chart(const std::filesystem::path& path, const std::string& title, bool linear) const {
    LineChart chart(title, "epoch", "top-1 accuracy, %");
    const auto add = [&](const char* name, double ProbeEpoch::*field) {
      std::vector<double> x;
      std::vector<double> y;
      for (const ProbeEpoch& epoch : epochs) {
        x.push_back(static_cast<double>(x.size() + 1));
        y.push_back(epoch.*field);
      }
      chart.add(name, std::move(x), std::move(y));
    };
    add("attentive, validation", &ProbeEpoch::val_top1);
    add("attentive, training", &ProbeEpoch::train_top1);
    if (linear) add("linear, validation", &ProbeEpoch::linear_top1);
    chart.write(path);
  }

  /// All figures and the settings; no times, so that the same run writes the same file.
  void write_json(const std::filesystem::path& path, Json head, const ConfusionMatrix& confusion,
                  const Json& settings) const {
    std::size_t best = 0;
    for (std::size_t i = 0; i < epochs.size(); ++i) best = epochs[i].val_top1 > epochs[best].val_top1 ? i : best;
    const ProbeEpoch& last = epochs.back();
    head["attentive"] = {{"val_top1", last.val_top1},
                         {"val_top5", last.val_top5},
                         {"best_val_top1", epochs[best].val_top1},
                         {"best_epoch", best + 1}};
    if (settings["probe.linear"] == true) {
      head["linear"] = {{"val_top1", last.linear_top1}, {"val_top5", last.linear_top5}};
    }
    if (nearest.samples > 0) head["knn"] = {{"val_top1", nearest.top1()}, {"val_top5", nearest.top5()}};
    for (std::size_t i = 0; i < epochs.size(); ++i) {
      Json row = {{"epoch", i + 1}};
      for (std::size_t f = 0; f < ProbeEpoch::fields.size(); ++f) {
        row[ProbeEpoch::names[f]] = epochs[i].*ProbeEpoch::fields[f];
      }
      head["epochs"].push_back(row);
    }
    for (std::size_t i = 0; i < confusion.classes(); ++i) {
      head["classes"].push_back({{"name", confusion.name(i)},
                                 {"samples", confusion.samples(i)},
                                 {"correct", confusion.count(i, i)},
                                 {"accuracy", confusion.accuracy(i)}});
    }
    if (train_skipped) head["train_skipped"] = *train_skipped;
    head["val_skipped"] = skipped;
    head["settings"] = settings;
    write_file(path, head.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }
};

}  // namespace vjepa
