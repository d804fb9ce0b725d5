#include "vjepa/model/models.hpp"

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("the official models have the official numbers of parameters") {
  // Of the official PyTorch modules, positions not counted.
  STATIC_REQUIRE(ViTTiny<>::param_count == 5'633'856);
  STATIC_REQUIRE(ViTLarge<>::param_count == 303'885'312);
  STATIC_REQUIRE(ViTGiant<>::dims.hidden == 6144);
  STATIC_REQUIRE(ViTGigantic<>::dims.hidden == 4 * 1664);
}

TEST_CASE("a name selects a type") {
  Index dim = 0;
  NamedModels::with("vit_huge", 16, 2, [&]<class Encoder>() { dim = Encoder::dim; });
  CHECK(dim == 1280);
  NamedModels::with("vit_tiny", 8, 2, [&]<class Encoder>() { dim = Encoder::dims.patch; });
  CHECK(dim == 8);
}

TEST_CASE("a name that is not there gets the list of those that are") {
  CHECK_THROWS_WITH(NamedModels::with("vit_enormous", 16, 2, []<class Encoder>() {}),
                    Contains("vit_enormous") && Contains("vit_gigantic (patch 14, tubelet 2)"));
  CHECK_THROWS_WITH(NamedModels::with("vit_huge", 4, 2, []<class Encoder>() {}), Contains("patches of 4 pixels"));
}

TEST_CASE("a width selects a predictor with heads of a multiple of 8 features") {
  Index dim = 0;
  NamedPredictorWidths::with<ViTBase<>>(96, [&]<class Guess>() { dim = Guess::dims.dim; });
  CHECK(dim == 96);
  const auto none = []<class Guess>() {};
  CHECK_THROWS_WITH(NamedPredictorWidths::with<ViTBase<>>(100, none), Contains("there are: 96, 192, 384"));
  CHECK_THROWS_WITH(NamedPredictorWidths::with<ViTLarge<>>(192, none),
                    Contains("no predictor of width 192 with the encoder's 16 heads") && Contains("there are: 384"));
}
