#include "vjepa/train/csv_log.hpp"

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

TEST_CASE("a log in a folder that cannot be written says where") {
  CHECK_THROWS_WITH(CsvLog("/proc/nowhere/log.csv", 0), Contains("/proc/nowhere/log.csv"));
}
