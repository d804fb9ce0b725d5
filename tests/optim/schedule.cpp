#include "vjepa/optim/schedule.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("schedules are the official ones, step by step") {
  const auto path = VJEPA_GOLDEN("schedules.csv");
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  int rows = 0;
  while (std::getline(file, line)) {
    std::vector<double> v;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) v.push_back(std::stod(cell));
    const double ipe = v[0];
    const double epochs = v[1];
    const double scale = v[3];
    const auto total = static_cast<std::int64_t>(scale * epochs * ipe);
    const auto step = static_cast<std::int64_t>(v[11]);
    const WarmupCosine lr{
        .start = v[4], .peak = v[5], .final = v[6], .warmup = static_cast<std::int64_t>(v[2] * ipe), .total = total};
    const CosineWeightDecay decay{.start = v[7], .final = v[8], .total = total};
    const LinearMomentum momentum{.start = v[9], .final = v[10], .total = ipe * epochs * scale};
    INFO(line);
    CHECK(lr(step) == Approx(v[12]).epsilon(1e-12));
    CHECK(decay(step) == Approx(v[13]).epsilon(1e-12));
    CHECK(momentum(step) == Approx(v[14]).epsilon(1e-12));
    ++rows;
  }
  CHECK(rows > 50);
}
