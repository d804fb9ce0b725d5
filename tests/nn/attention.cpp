#include "vjepa/nn/attention.hpp"

#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("SelfAttention: the gradient is that of finite differences") {
  using Module = SelfAttention<12, 3>;
  // Two parts of a head's keys.
  const Sequences s{.batch = 2, .tokens = 70};
  const Index n = s.rows();
  Room room;
  const std::vector<double> zeros(static_cast<std::size_t>(n * 12));
  const In<Proof, 12> skip(zeros.data(), n);
  require_small(check_module(
      Module{}, n * 12, n * 12,
      [&](const auto& p, auto x, auto y) {
        const Arena<Proof>::Scope scope(room.arena);
        Module::forward<Proof>(room.ctx, p, s, rows<12>(x), skip, rows<12>(y),
                               Module::Saved<Proof>::take_for_inference(room.arena, s));
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        const auto saved = Module::Saved<Proof>::take(room.arena, s);
        std::vector<double> y(static_cast<std::size_t>(n * 12));
        Module::forward<Proof>(room.ctx, p, s, rows<12>(x), skip, Out<Proof, 12>(y.data(), n), saved);
        Module::backward<Proof>(room.ctx, room.arena, p, s, rows<12>(x), saved, rows<12>(dy), rows<12>(dx), g);
      }));
}
