#include "vjepa/train/feature_scale.hpp"

#include <vector>

#include "catch.hpp"
#include "vjepa/io/safetensors.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {
FeatureScale scale_of_two() {
  FeatureMoments moments;
  for (const float v : {1.0f, 3.0f}) moments.add(std::vector<float>{v, 5});
  return moments.scale();
}
}  // namespace

TEST_CASE("features are brought to mean 0 and deviation 1 over those that were added") {
  CHECK(FeatureMoments().scale()(std::vector<float>{3, 4}) == std::vector<float>{3, 4});
  const std::vector<float> scaled = scale_of_two()(std::vector<float>{4, 5});
  CHECK(scaled[0] == Approx(2).epsilon(1e-5));
  CHECK(scaled[1] == 0);
}

TEST_CASE("a scale comes back from a checkpoint, an empty one from a checkpoint without it") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "state";
  const auto written = [&](const FeatureScale& scale) {
    StateDict state;
    state.add("other", {1}, std::vector<float>{1});
    scale.save(state);
    write_safetensors(file, state.tensors(), {});
    return Checkpoint(file);
  };
  const FeatureScale scale = scale_of_two();
  FeatureScale loaded;
  loaded.load(written(FeatureScale()), 2);
  CHECK(loaded.empty());
  loaded.load(written(scale), 2);
  CHECK(loaded.mean == scale.mean);
  CHECK(loaded.deviation == scale.deviation);
  CHECK_THROWS_WITH(loaded.load(Checkpoint(file), 3), Contains("2 means and 2 deviations, the encoder 3 features"));
}
