#include "vjepa/nn/block.hpp"

#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("Block: the gradient is that of finite differences") {
  using Module = Block<8, 2, 24>;
  const Sequences s{.batch = 2, .tokens = 5};
  const Index n = s.rows();
  Room room;
  require_small(check_module(
      Module{}, n * 8, n * 8,
      [&](const auto& p, auto x, auto y) {
        const Arena<Proof>::Scope scope(room.arena);
        auto saved = Module::Saved<Proof>::take_for_inference(room.arena, s);
        Module::forward<Proof>(room.ctx, room.arena, p, s, rows<8>(x), rows<8>(y), saved);
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        auto saved = Module::Saved<Proof>::take(room.arena, s);
        std::vector<double> y(static_cast<std::size_t>(n * 8));
        Module::forward<Proof>(room.ctx, room.arena, p, s, rows<8>(x), Out<Proof, 8>(y.data(), n), saved);
        Module::backward<Proof>(room.ctx, room.arena, p, s, saved, rows<8>(dy), rows<8>(dx), g);
      }));
}

TEST_CASE("Block: a forward pass in place gives what one out of place gives") {
  using Module = Block<8, 2, 24>;
  const Sequences s{.batch = 1, .tokens = 6};
  Room room;
  const ParamLayout layout{Module{}};
  std::vector<double> weights(static_cast<std::size_t>(layout.size()));
  Random random({.seed = 3});
  for (double& w : weights) w = random.normal();
  const auto p = layout.bind<const double>(Module{}, weights.data());
  std::vector<double> x(48);
  for (double& v : x) v = random.normal();
  std::vector<double> y(48);
  auto saved = Module::Saved<Proof>::take_for_inference(room.arena, s);
  Module::forward<Proof>(room.ctx, room.arena, p, s, In<Proof, 8>(x.data(), 6), Out<Proof, 8>(y.data(), 6), saved);
  Module::forward<Proof>(room.ctx, room.arena, p, s, In<Proof, 8>(x.data(), 6), Out<Proof, 8>(x.data(), 6), saved);
  CHECK(x == y);
}
