#include "vjepa/model/attentive_classifier.hpp"

#include <string>
#include <vector>

#include "../nn/module_check.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;
using Model = AttentiveClassifier<PoolerDims{.dim = 8, .heads = 2, .hidden = 12}>;

TEST_CASE("AttentiveClassifier: the gradient is that of finite differences, of the tokens too") {
  const Sequences s{.batch = 3, .tokens = 5};
  for (const Index depth : {1, 3}) {
    const Model model{.depth = depth, .classes = 4};
    Room room;
    require_small(check_module(
        model, s.rows() * 8, s.batch * 4,
        [&](const auto& p, auto x, auto y) {
          Model::infer<Proof>(room.ctx, room.arena, p, s, rows<8>(x), Mat<double>(y.data(), s.batch, 4));
        },
        [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
          Model::Saved<Proof> saved;
          const auto logits = room.arena.take<double, Dyn, Dyn>(s.batch, Index{4});
          Model::forward<Proof>(room.ctx, room.arena, p, s, rows<8>(x), logits, saved);
          Model::backward<Proof>(room.ctx, room.arena, p, s, saved, Mat<const double>(dy.data(), s.batch, 4),
                                 rows<8>(dx), g);
        }));
  }
}

TEST_CASE("AttentiveClassifier: a depth and a number of classes chosen at run time, under the official names") {
  const ParamLayout layout(Model{.depth = 3, .classes = 7});
  int blocks = 0;
  for (const ParamInfo& p : layout.params()) {
    blocks += p.name.starts_with("pooler.blocks.") && p.name.ends_with("attn.qkv.weight") ? 1 : 0;
    if (p.name == "pooler.query_tokens") CHECK(p.shape == std::vector<Index>{1, 1, 8});
    if (p.name == "linear.weight") CHECK(p.shape == std::vector<Index>{7, 8});
    if (p.name == "linear.bias") CHECK(p.shape == std::vector<Index>{7});
  }
  CHECK(blocks == 2);
}
