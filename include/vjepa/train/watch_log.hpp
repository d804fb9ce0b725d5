#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "vjepa/train/feature_spread.hpp"
#include "vjepa/train/line_chart.hpp"
#include "vjepa/train/row_file.hpp"

namespace vjepa {

/// How the targets of a run spread as it goes on: a CSV of its own, beside the log of the steps.
class WatchLog {
 public:
  static constexpr const char* header = "step,loss,loss-of-mean,target-std,effective-rank";

  /// Keeps the rows of the first `steps` steps of a log that is there and drops the others, which a resumed run writes
  /// again. Throws Error when the file cannot be written.
  WatchLog(const std::filesystem::path& path, std::int64_t steps) : file_(path, header, kept_rows(path, steps)) {}

  /// Throws Error when the row cannot be written.
  void write(std::int64_t step, double loss, const FeatureSpread& spread) {
    char line[128];
    std::snprintf(line, sizeof(line), "%lld,%.5f,%.5f,%.5f,%.3f\n", static_cast<long long>(step), loss, spread.guess,
                  spread.deviation, spread.rank);
    file_.add(line);
    // As a resumed run reads it, which draws the same chart.
    remember(*parsed(line));
  }

  /// Whether the targets have lost most of what they began with: three quarters of the directions beyond the first,
  /// which always remains, or of the deviation.
  bool collapsed() const {
    return spreads_.back().rank - 1 < (spreads_.front().rank - 1) / 4 ||
           spreads_.back().deviation < spreads_.front().deviation / 4;
  }
  /// "effective rank 7.1, 42.3 at the start; deviation 0.2, 0.5 at the start"
  std::string comparison() const {
    char text[160];
    std::snprintf(text, sizeof(text), "effective rank %.1f, %.1f at the start; deviation %.2f, %.2f at the start",
                  spreads_.back().rank, spreads_.front().rank, spreads_.back().deviation, spreads_.front().deviation);
    return text;
  }

  void draw(const std::filesystem::path& path) const {
    LineChart chart("effective rank of the targets", "step", "directions");
    std::vector<double> ranks;
    for (const FeatureSpread& s : spreads_) ranks.push_back(s.rank);
    chart.add("effective rank", steps_, ranks);
    chart.write(path);
  }

 private:
  struct Row {
    std::int64_t step;
    FeatureSpread spread;
  };

  /// Nothing of a line that is no row.
  static std::optional<Row> parsed(const std::string& line) {
    long long step = 0;
    FeatureSpread spread;
    const int fields =
        std::sscanf(line.c_str(), "%lld,%*f,%lf,%lf,%lf", &step, &spread.guess, &spread.deviation, &spread.rank);
    return fields == 4 ? std::optional(Row{step, spread}) : std::nullopt;
  }

  std::string kept_rows(const std::filesystem::path& path, std::int64_t steps) {
    std::string kept;
    std::ifstream before(path);
    std::string line;
    while (std::getline(before, line) && !before.eof()) {
      const std::optional<Row> row = parsed(line);
      if (!row) continue;
      if (row->step >= steps) break;
      remember(*row);
      kept += line + "\n";
    }
    return kept;
  }

  void remember(const Row& row) {
    steps_.push_back(static_cast<double>(row.step));
    spreads_.push_back(row.spread);
  }

  std::vector<double> steps_;
  std::vector<FeatureSpread> spreads_;
  RowFile file_;  // after those, which reading what is kept fills
};

}  // namespace vjepa
