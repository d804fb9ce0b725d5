#include "vjepa/nn/positions.hpp"

#include <cmath>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("positions resized to their own size stay as they are") {
  const TokenGrid grid{4, 3, 5};
  const auto table = sincos_positions_3d(12, grid, true);
  CHECK(interpolate_positions_3d(table, 12, grid, grid) == table);
}

TEST_CASE("bicubic positions are torch's") {
  // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 4.]]]]), scale_factor=1.5, mode='bicubic')
  const std::vector<float> table{0, 1, 2, 4};
  const auto resized = interpolate_positions_2d(table, 1, {1, 2, 2}, {1, 3, 3});
  const std::vector<float> expected{-0.2528816f, 0.2829862f, 0.8188536f, 0.8697919f, 1.7500000f,
                                    2.6302083f,  1.9924650f, 3.2170138f, 4.4415627f};
  REQUIRE(resized.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(resized[i] == Approx(expected[i]).margin(1e-6));
}

TEST_CASE("a constant stays constant under both interpolations") {
  const std::vector<float> table(2 * 3 * 4 * 2, 0.75f);
  for (const float v : interpolate_positions_3d(table, 2, {2, 3, 4}, {5, 2, 7})) CHECK(v == Approx(0.75f));
  for (const float v : interpolate_positions_2d(table, 2, {1, 6, 4}, {1, 9, 3})) CHECK(v == Approx(0.75f));
}

TEST_CASE("features that cannot be dealt out to the axes are refused") {
  const TokenGrid grid{2, 2, 2};
  CHECK_THROWS_WITH(sincos_positions_2d(6, {1, 2, 2}), Contains("6 features") && Contains("multiple of 4"));
  CHECK_THROWS_WITH(sincos_positions_3d(12, grid, false), Contains("12 features") && Contains("multiple of 8"));
  CHECK(sincos_positions_2d(12, {1, 2, 2}).size() == 4 * 12);
  CHECK(sincos_positions_3d(16, grid, false).size() == 8 * 16);
}
