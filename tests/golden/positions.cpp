#include "vjepa/nn/positions.hpp"

#include <cstdio>
#include <string>

#include "reference.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("the sin-cos tables are the official ones") {
  const auto path = VJEPA_GOLDEN("pos_embed/tables.safetensors");
  const SafetensorsFile file(path);
  int tables = 0;
  for (const StoredTensor& tensor : file.tensors()) {
    int dim = 0;
    int side = 0;
    int depth = 0;
    int uniform = 0;
    INFO(tensor.name);
    if (std::sscanf(tensor.name.c_str(), "sincos3d.dim%d.grid%d.depth%d.uniform%d", &dim, &side, &depth, &uniform) ==
        4) {
      CHECK(relative_error(sincos_positions_3d(dim, {depth, side, side}, uniform != 0), tensor.as<float>()) < 1e-6);
    } else {
      REQUIRE(std::sscanf(tensor.name.c_str(), "sincos2d.dim%d.grid%d", &dim, &side) == 2);
      CHECK(relative_error(sincos_positions_2d(dim, {1, side, side}), tensor.as<float>()) < 1e-6);
    }
    ++tables;
  }
  CHECK(tables > 0);
}

TEST_CASE("tables are interpolated as the official code does") {
  const auto path = VJEPA_GOLDEN("pos_embed/interpolation.safetensors");
  const SafetensorsFile file(path);
  // The table of the micro model: 8 frames of 16x16 pixels, patches of 4, tubelets of 2.
  const auto table = file.at("table").as<float>();
  int sizes = 0;
  for (const StoredTensor& tensor : file.tensors()) {
    int frames = 0;
    int height = 0;
    int width = 0;
    if (std::sscanf(tensor.name.c_str(), "interp.T%d.H%d.W%d", &frames, &height, &width) != 3) continue;
    INFO(tensor.name);
    CHECK(relative_error(interpolate_positions_3d(table, 32, {4, 4, 4}, {frames / 2, height / 4, width / 4}),
                         tensor.as<float>()) < 1e-6);
    ++sizes;
  }
  CHECK(sizes > 0);
}
