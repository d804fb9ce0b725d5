#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "vjepa/train/row_file.hpp"

namespace vjepa {

/// The log of a run in the columns of the official trainer, a row a step. A row is in the file when `write` returns.
class CsvLog {
 public:
  struct Row {
    std::int64_t epoch = 0;  // counted from 1
    std::int64_t itr = 0;    // within the epoch, from 0
    double loss = 0;
    double jepa = 0;
    double reg = 0;
    double encoder_norm = 0;
    double predictor_norm = 0;
    double step_ms = 0;  // of computation
    double wall_ms = 0;  // waiting for data included
  };

  static constexpr const char* header =
      "epoch,itr,loss,loss-jepa,reg-loss,enc-grad-norm,pred-grad-norm,gpu-time(ms),wall-time(ms)";

  /// Keeps the first `rows` rows of a log that is there and drops the others: those of steps that a resumed run will do
  /// again. Throws Error when the file cannot be written.
  CsvLog(const std::filesystem::path& path, std::int64_t rows) : file_(path, header, kept_rows(path, rows)) {}

  /// Throws Error when the row cannot be written.
  void write(const Row& row) {
    char line[256];
    std::snprintf(line, sizeof(line), "%lld,%lld,%.5f,%.5f,%.5f,%.5f,%.5f,%d,%d\n", static_cast<long long>(row.epoch),
                  static_cast<long long>(row.itr), row.loss, row.jepa, row.reg, row.encoder_norm, row.predictor_norm,
                  static_cast<int>(row.step_ms), static_cast<int>(row.wall_ms));
    file_.add(line);
  }

 private:
  static std::string kept_rows(const std::filesystem::path& path, std::int64_t rows) {
    std::string kept;
    std::ifstream before(path);
    std::string line;
    std::getline(before, line);
    for (std::int64_t i = 0; i < rows && std::getline(before, line) && !before.eof(); ++i) kept += line + "\n";
    return kept;
  }

  RowFile file_;
};

}  // namespace vjepa
