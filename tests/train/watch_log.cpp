#include "vjepa/train/watch_log.hpp"

#include <fstream>
#include <string>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

FeatureSpread spread(double rank) {
  FeatureSpread s;
  s.rank = rank;
  s.deviation = 1 / rank;
  s.guess = rank / 3;
  return s;
}

}  // namespace

TEST_CASE("a watched run that is resumed draws the chart of one that is not") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "jepa_watch.csv";
  {
    WatchLog whole(path, 0);
    for (int step = 0; step < 30; step += 10) whole.write(step, 0.5, spread(40.0 / 3 + step));
    whole.draw(folder.path() / "whole.svg");
  }
  const std::string rows = bytes_of(path);
  std::ofstream(path, std::ios::app) << "30,0.5";  // cut short
  {
    WatchLog resumed(path, 20);
    resumed.write(20, 0.5, spread(40.0 / 3 + 20));
    resumed.draw(folder.path() / "resumed.svg");
  }
  CHECK(bytes_of(path) == rows);
  CHECK(bytes_of(folder.path() / "resumed.svg") == bytes_of(folder.path() / "whole.svg"));
}
