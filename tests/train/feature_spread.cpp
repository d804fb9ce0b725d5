#include "vjepa/train/feature_spread.hpp"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/train/watch_log.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("features that vary alike in some directions have that many effective ones") {
  Random random({.seed = 3});
  for (const Index directions : {1, 4, 16}) {
    constexpr Index dim = 16;
    std::vector<float> rows;
    for (int i = 0; i < 2000; ++i) {
      for (Index d = 0; d < dim; ++d) {
        rows.push_back(5 + (d < directions ? 2 * static_cast<float>(random.normal()) : 0));
      }
    }
    const FeatureSpread spread = feature_spread(rows, dim);
    // 2000 samples know a variance to 3 %.
    CHECK(spread.rank == Approx(directions).epsilon(0.03));
    const double varied = static_cast<double>(directions) / dim;
    CHECK(spread.deviation == Approx(2.0 * varied).epsilon(0.03));
    // Of a normal distribution: E|x| is sqrt(2 / pi) deviations, and the squared loss is halved.
    CHECK(spread.guess == Approx(2.0 * std::sqrt(2 / 3.14159265358979) * varied).epsilon(0.03));
    CHECK(feature_spread(rows, dim, 2).guess == Approx(4.0 / 2 * varied).epsilon(0.06));
  }
}

TEST_CASE("the spread does not depend on the axes, and rows that are all the same have none") {
  Random random({.seed = 4});
  std::vector<float> rows;
  for (int i = 0; i < 1000; ++i) {
    const double a = random.normal();
    rows.insert(rows.end(), {static_cast<float>(a), static_cast<float>(2 * a), static_cast<float>(-a)});
  }
  CHECK(feature_spread(rows, 3).rank == Approx(1).epsilon(1e-6));
  const FeatureSpread none = feature_spread(std::vector<float>(30, 0.25f), 3);
  CHECK(none.rank == 0);
  CHECK(none.deviation == 0);
}

TEST_CASE("a watch log goes on where a run does, and tells a collapse from its start") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "watch.csv";
  {
    WatchLog log(path, 0);
    log.write(0, 0.9, {.deviation = 0.5, .rank = 40, .guess = 0.25});
    CHECK_FALSE(log.collapsed());
    log.write(10, 0.8, {.deviation = 0.5, .rank = 11, .guess = 0.25});
    CHECK_FALSE(log.collapsed());
    log.write(20, 0.7, {.deviation = 0.5, .rank = 9});
    CHECK(log.collapsed());
  }
  WatchLog low(folder.path() / "low.csv", 0);
  low.write(0, 0.8, {.deviation = 0.5, .rank = 3.1});
  low.write(10, 0.2, {.deviation = 0.5, .rank = 1.3});
  CHECK(low.collapsed());
  WatchLog resumed(path, 20);
  resumed.write(20, 0.7, {.deviation = 0.1, .rank = 30, .guess = 0.05});
  CHECK(resumed.collapsed());
  CHECK_THAT(resumed.comparison(), Contains("effective rank 30.0, 40.0 at the start"));
  CHECK(bytes_of(path) ==
        "step,loss,loss-of-mean,target-std,effective-rank\n0,0.90000,0.25000,0.50000,40.000\n"
        "10,0.80000,0.25000,0.50000,11.000\n20,0.70000,0.05000,0.10000,30.000\n");
}
