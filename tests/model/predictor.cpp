#include "vjepa/model/predictor.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "../nn/module_check.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;
using Model = Predictor<PredictorDims{.encoder_dim = 6, .dim = 8, .heads = 2, .hidden = 12}>;

TEST_CASE("Predictor: the gradient is that of finite differences, of the context too") {
  const Model model{.depth = 2, .mask_tokens = 2};
  const std::vector<std::int32_t> context{0, 3, 7, 1, 2, 5};
  const std::vector<std::int32_t> target{1, 2, 4, 5, 0, 3, 6, 7};
  const auto table = Model::positions({2, 2, 2}, true, false);
  const std::vector<double> positions(table.begin(), table.end());
  for (const Index group : {0, 1}) {
    Room room;
    const auto input = [&](auto x) {
      return Model::Input<Proof>{rows<6>(x), TokenIndices(context.data(), 2, 3), TokenIndices(target.data(), 2, 4),
                                 View<const double, Dyn, 8>(positions.data(), 8), group};
    };
    require_small(check_module(
        model, 6 * 6, 8 * 6,
        [&](const auto& p, auto x, auto y) {
          const Arena<Proof>::Scope scope(room.arena);
          Model::Saved<Proof> saved;
          Model::forward<Proof>(room.ctx, room.arena, p, input(x), rows<6>(y), saved);
        },
        [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
          Model::Saved<Proof> saved;
          const auto y = room.arena.take<double, Dyn, 6>(8);
          Model::forward<Proof>(room.ctx, room.arena, p, input(x), y, saved);
          Model::backward<Proof>(room.ctx, room.arena, p, input(x), saved, rows<6>(dy), rows<6>(dx), g);
        }));
  }
}

TEST_CASE("Predictor: a depth and a number of mask tokens chosen at run time") {
  const ParamLayout layout(Model{.depth = 3, .mask_tokens = 4});
  int blocks = 0;
  int tokens = 0;
  for (const auto& p : layout.params()) {
    blocks += p.name.starts_with("predictor_blocks.") && p.name.ends_with("attn.qkv.weight") ? 1 : 0;
    tokens += p.name.starts_with("mask_tokens.") ? 1 : 0;
    if (p.name.starts_with("mask_tokens.")) {
      CHECK(p.shape == std::vector<Index>{1, 1, 8});
      CHECK(p.decayed());  // as the official optimizer groups them
    }
  }
  CHECK(blocks == 3);
  CHECK(tokens == 4);
}
