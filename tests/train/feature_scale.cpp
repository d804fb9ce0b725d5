#include "vjepa/train/feature_scale.hpp"

#include <vector>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("features are brought to mean 0 and deviation 1 over those that were added") {
  FeatureScale scale;
  CHECK(scale(std::vector<float>{3, 4}) == std::vector<float>{3, 4});
  for (const float v : {1.0f, 3.0f}) scale.add(std::vector<float>{v, 5});
  const std::vector<float> scaled = scale(std::vector<float>{4, 5});
  CHECK(scaled[0] == Approx(2).epsilon(1e-5));
  CHECK(scaled[1] == 0);
}
