#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "vjepa/core/error.hpp"
#include "vjepa/io/atomic_file.hpp"

namespace vjepa {

/// A text file of a header and rows, to which a run adds rows as it goes on.
class RowFile {
 public:
  /// Begins with the header and rows that are kept of a run before. Throws Error when the file cannot be written.
  RowFile(std::filesystem::path path, std::string_view header, std::string_view rows) : path_(std::move(path)) {
    write_file(path_, text(header, "\n", rows));
    file_.open(path_, std::ios::app);
    check();
  }

  /// Adds a row, which ends with a newline. It is in the file on return. Throws Error when it cannot be written.
  void add(std::string_view row) {
    file_ << row << std::flush;
    check();
  }

 private:
  void check() const {
    if (!file_) fail(path_.string(), ": cannot write: ", std::strerror(errno));
  }

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace vjepa
