#include "vjepa/mask/multiblock3d.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/mask/torch_random.hpp"

using namespace vjepa;

namespace {

Multiblock3d options_of(const nlohmann::json& config) {
  Multiblock3d options;
  options.aspect_ratio = config["aspect_ratio"];
  options.num_blocks = config["num_blocks"];
  options.spatial_scale = config["spatial_scale"];
  options.temporal_scale = config["temporal_scale"];
  options.max_temporal_keep = config["max_temporal_keep"];
  if (!config["max_keep"].is_null()) options.max_keep = config["max_keep"].get<Index>();
  return options;
}

std::vector<std::int32_t> flat(const nlohmann::json& rows) {
  std::vector<std::int32_t> all;
  for (const auto& row : rows) {
    for (const auto& i : row) all.push_back(i);
  }
  return all;
}

}  // namespace

TEST_CASE("with PyTorch's numbers the masks are the official ones") {
  const auto path = VJEPA_GOLDEN("masks/multiblock3d.json");
  const auto entries = nlohmann::json::parse(std::ifstream(path));
  // One generator places the blocks of a whole case, as torch's global one does.
  std::map<std::string, TorchRandom> places;
  for (const auto& e : entries) {
    TorchRandom& place = places.try_emplace(e["case"], e["torch_seed"].get<std::uint32_t>()).first->second;
    TorchRandom size(e["call"].get<std::uint32_t>());
    const Index side = e["crop"].get<Index>() / e["patch"].get<Index>();
    const TokenGrid grid{e["frames"].get<Index>() / e["tubelet"].get<Index>(), side, side};
    const Masks masks = options_of(e["config"])(grid, e["batch"], size, place);
    INFO(e["case"] << ", call " << e["call"] << ", generator " << e["generator"]);
    CHECK(masks.context == flat(e["enc"]));
    CHECK(masks.target == flat(e["pred"]));
  }
}

TEST_CASE("context and target of a clip are disjoint, sorted and within the clip") {
  Random size({.seed = 1, .purpose = Purpose::mask_size});
  Random place({.seed = 1, .purpose = Purpose::mask_place});
  const TokenGrid grid{4, 6, 8};
  const Masks masks = Multiblock3d{.num_blocks = 3, .temporal_scale = {0.5, 1.0}}(grid, 5, size, place);
  REQUIRE(masks.batch == 5);
  REQUIRE(masks.context.size() == static_cast<std::size_t>(5 * masks.kept));
  REQUIRE(masks.target.size() == static_cast<std::size_t>(5 * masks.hidden));
  for (Index b = 0; b < 5; ++b) {
    std::vector<int> uses(static_cast<std::size_t>(grid.size()), 0);
    const auto check = [&](const std::vector<std::int32_t>& idx, Index count) {
      for (Index i = 0; i < count; ++i) {
        const auto token = idx[static_cast<std::size_t>(b * count + i)];
        REQUIRE(token >= 0);
        REQUIRE(token < grid.size());
        if (i > 0) REQUIRE(token > idx[static_cast<std::size_t>(b * count + i - 1)]);
        ++uses[static_cast<std::size_t>(token)];
      }
    };
    check(masks.context, masks.kept);
    check(masks.target, masks.hidden);
    for (const int count : uses) CHECK(count <= 1);
  }
}

TEST_CASE("max_keep and max_temporal_keep bound the context") {
  Random size({.seed = 2, .purpose = Purpose::mask_size});
  Random place({.seed = 2, .purpose = Purpose::mask_place});
  const TokenGrid grid{8, 14, 14};
  const Masks masks = Multiblock3d{.max_temporal_keep = 0.5, .max_keep = 100}(grid, 2, size, place);
  CHECK(masks.kept == 100);
  for (const auto token : masks.context) CHECK(token < 4 * 14 * 14);
}

TEST_CASE("masks longer than multiple_of are cut to a multiple of it") {
  for (std::uint64_t step = 0; step < 8; ++step) {
    const auto draw = [&](Index multiple) {
      Random size({.seed = 3, .sample = step});
      Random place({.seed = 4, .sample = step});
      return Multiblock3d{.num_blocks = 2, .spatial_scale = {0.3, 0.3}, .multiple_of = multiple}({8, 14, 14}, 5, size,
                                                                                                 place);
    };
    const Masks all = draw(1);
    const Masks cut = draw(64);
    CHECK(cut.kept == all.kept / 64 * 64);
    CHECK(cut.hidden == all.hidden / 64 * 64);
    for (Index b = 0; b < 5; ++b) {
      CHECK(std::equal(cut.context.begin() + b * cut.kept, cut.context.begin() + (b + 1) * cut.kept,
                       all.context.begin() + b * all.kept));
    }
    CHECK(draw(all.kept + 1).kept == all.kept);
  }
}

TEST_CASE("masks that leave nothing to see or to predict are refused") {
  Random size({.seed = 3, .purpose = Purpose::mask_size});
  Random place({.seed = 3, .purpose = Purpose::mask_place});
  const TokenGrid grid{2, 4, 4};
  CHECK_THROWS_WITH((Multiblock3d{.aspect_ratio = {1, 1}, .spatial_scale = {1.0, 1.0}}(grid, 1, size, place)),
                    Contains("hid a whole clip") && Contains("use fewer or smaller blocks"));
  CHECK_THROWS_WITH((Multiblock3d{.spatial_scale = {0.0, 0.0}}(grid, 1, size, place)),
                    Contains("0 to predict") && Contains("spatial_scale"));
}
