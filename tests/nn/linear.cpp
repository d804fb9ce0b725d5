#include "vjepa/nn/linear.hpp"

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("Linear: the gradient is that of finite differences") {
  using Module = Linear<6, 10>;
  Room room;
  require_small(check_module(
      Module{}, 7 * 6, 7 * 10,
      [&](const auto& p, auto x, auto y) { Module::forward<Proof>(room.ctx, p, rows<6>(x), rows<10>(y)); },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        Module::backward<Proof>(room.ctx, p, rows<6>(x), rows<10>(dy), rows<6>(dx), g);
      }));
}
