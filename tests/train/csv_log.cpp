#include "vjepa/train/csv_log.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// While it lives, files of this process cannot grow beyond so many bytes, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : before_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_handler_);
  }

 private:
  void (*before_handler_)(int);
  rlimit before_{};
};

}  // namespace

TEST_CASE("the log has the official columns, and a resumed run drops the rows it will write again") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "jepa_r0.csv";
  {
    CsvLog log(path, 0);
    log.write({.epoch = 1,
               .itr = 0,
               .loss = 0.5,
               .jepa = 0.25,
               .reg = 1.25,
               .encoder_norm = 2,
               .predictor_norm = 3,
               .step_ms = 10.7,
               .wall_ms = 20.2});
    log.write({.epoch = 1, .itr = 1, .loss = 0.4});
  }
  const std::string first =
      "epoch,itr,loss,loss-jepa,reg-loss,enc-grad-norm,pred-grad-norm,gpu-time(ms),wall-time(ms)\n"
      "1,0,0.50000,0.25000,1.25000,2.00000,3.00000,10,20\n";
  CHECK(content(path) == first + "1,1,0.40000,0.00000,0.00000,0.00000,0.00000,0,0\n");
  { CsvLog log(path, 1); }
  CHECK(content(path) == first);
}

TEST_CASE("a row that was cut short is dropped") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "jepa_r0.csv";
  write_bytes(path, std::string(CsvLog::header) + "\n1,0,0.5\n1,1,0.");
  { CsvLog log(path, 2); }
  CHECK(content(path) == std::string(CsvLog::header) + "\n1,0,0.5\n");
}

TEST_CASE("a row that cannot be written is an error") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "jepa_r0.csv";
  CsvLog log(path, 0);
  const FileSizeLimit limit(std::string(CsvLog::header).size() + 60);  // one row takes 48
  log.write({.epoch = 1});
  CHECK_THROWS_WITH(log.write({.epoch = 1, .itr = 1}), Contains("jepa_r0.csv: cannot write"));
}

TEST_CASE("a log in a folder that cannot be written says where") {
  CHECK_THROWS_WITH(CsvLog("/proc/nowhere/log.csv", 0), Contains("/proc/nowhere/log.csv"));
}
