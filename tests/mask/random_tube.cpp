#include "vjepa/mask/random_tube.hpp"

#include <set>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("a tube hides the same patches in every frame") {
  Random place({.seed = 4, .purpose = Purpose::mask_place});
  const TokenGrid grid{3, 4, 5};
  const Masks masks = RandomTube{.ratio = 0.7}(grid, 2, place);
  REQUIRE(masks.kept == 3 * 6);  // int(20 * 0.3) = 6
  REQUIRE(masks.hidden == 3 * 14);
  for (Index b = 0; b < 2; ++b) {
    std::set<std::int32_t> all;
    for (Index i = 0; i < masks.kept; ++i) {
      const auto token = masks.context[static_cast<std::size_t>(b * masks.kept + i)];
      all.insert(token);
      if (i >= 6) CHECK(token == masks.context[static_cast<std::size_t>(b * masks.kept + i - 6)] + 20);
    }
    for (Index i = 0; i < masks.hidden; ++i) all.insert(masks.target[static_cast<std::size_t>(b * masks.hidden + i)]);
    CHECK(all.size() == 60);
  }
}

TEST_CASE("tubes of different clips differ") {
  Random place({.seed = 5, .purpose = Purpose::mask_place});
  const Masks masks = RandomTube{}({1, 14, 14}, 2, place);
  CHECK(std::set<std::int32_t>(masks.context.begin(), masks.context.begin() + masks.kept) !=
        std::set<std::int32_t>(masks.context.begin() + masks.kept, masks.context.end()));
}

TEST_CASE("a ratio that hides all or nothing is refused") {
  Random place({.seed = 6, .purpose = Purpose::mask_place});
  CHECK_THROWS_WITH((RandomTube{.ratio = 1.0}({1, 4, 4}, 1, place)), Contains("keeps 0 of 16 patches"));
  CHECK_THROWS_WITH((RandomTube{.ratio = 0.0}({1, 4, 4}, 1, place)), Contains("keeps 16 of 16 patches"));
}
