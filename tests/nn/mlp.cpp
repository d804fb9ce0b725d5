#include "vjepa/nn/mlp.hpp"

#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("Mlp: the gradient is that of finite differences") {
  using Module = Mlp<6, 20>;
  constexpr Index n = 5;
  Room room;
  const std::vector<double> zeros(n * 6);
  const In<Proof, 6> skip(zeros.data(), n);
  require_small(check_module(
      Module{}, n * 6, n * 6,
      [&](const auto& p, auto x, auto y) {
        Module::forward<Proof>(room.ctx, room.arena, p, rows<6>(x), skip, rows<6>(y), {});
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        const auto saved = Module::Saved<Proof>::take(room.arena, n);
        std::vector<double> y(n * 6);
        Module::forward<Proof>(room.ctx, room.arena, p, rows<6>(x), skip, Out<Proof, 6>(y.data(), n), saved);
        Module::backward<Proof>(room.ctx, room.arena, p, rows<6>(x), saved, rows<6>(dy), rows<6>(dx), g);
      }));
}
