#include "vjepa/nn/last_block.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using Whole = Block<8, 2, 24>;
using Last = LastBlock<Whole>;

constexpr Sequences all{.batch = 2, .tokens = 5};
constexpr Sequences some{.batch = 2, .tokens = 3};

std::vector<double> normal(Index n, std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(n));
  Random random({.seed = seed});
  for (double& v : values) v = random.normal();
  return values;
}

/// What a pass forward and back makes of a block.
struct Results {
  std::vector<double> y = std::vector<double>(static_cast<std::size_t>(some.rows() * 8));
  std::vector<double> dx = std::vector<double>(static_cast<std::size_t>(all.rows() * 8));
  std::vector<double> g;
};

}  // namespace

TEST_CASE("LastBlock: the gradient is that of finite differences") {
  Room room;
  require_small(check_module(
      Whole{}, all.rows() * 8, some.rows() * 8,
      [&](const auto& p, auto x, auto y) {
        const Arena<Proof>::Scope scope(room.arena);
        auto saved = Last::Saved<Proof>::take(room.arena, all, some);
        Last::forward<Proof>(room.ctx, room.arena, p, all, some, rows<8>(x), rows<8>(y), saved);
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        auto saved = Last::Saved<Proof>::take(room.arena, all, some);
        const auto y = room.arena.take<double, Dyn, 8>(some.rows());
        Last::forward<Proof>(room.ctx, room.arena, p, all, some, rows<8>(x), y, saved);
        Last::backward<Proof>(room.ctx, room.arena, p, all, some, saved, rows<8>(dy), rows<8>(dx), g);
      }));
}

TEST_CASE("LastBlock: outputs and gradients are those of a Block whose other outputs nobody reads") {
  Room room;
  const ParamLayout layout{Whole{}};
  const std::vector<double> weights = normal(layout.size(), 1);
  const auto p = layout.bind<const double>(Whole{}, weights.data());
  const std::vector<double> x = normal(all.rows() * 8, 2);
  const std::vector<double> dy = normal(some.rows() * 8, 3);
  const In<Proof, 8> in(x.data(), all.rows());

  Results last;
  last.g.resize(weights.size());
  auto saved = Last::Saved<Proof>::take(room.arena, all, some);
  Last::forward<Proof>(room.ctx, room.arena, p, all, some, in, Out<Proof, 8>(last.y.data(), some.rows()), saved);
  Last::backward<Proof>(room.ctx, room.arena, p, all, some, saved, In<Proof, 8>(dy.data(), some.rows()),
                        Out<Proof, 8>(last.dx.data(), all.rows()), layout.bind<double>(Whole{}, last.g.data()));

  Results whole;
  whole.g.resize(weights.size());
  std::vector<double> y(x.size());
  std::vector<double> dy_all(x.size());
  const auto copy_read = [](const std::vector<double>& from, std::vector<double>& to, bool spread) {
    for (Index b = 0; b < some.batch; ++b) {
      for (Index i = 0; i < some.tokens * 8; ++i) {
        const auto within = static_cast<std::size_t>((b * all.tokens + all.tokens - some.tokens) * 8 + i);
        const auto alone = static_cast<std::size_t>(b * some.tokens * 8 + i);
        spread ? to[within] = from[alone] : to[alone] = from[within];
      }
    }
  };
  copy_read(dy, dy_all, true);
  auto kept = Whole::Saved<Proof>::take(room.arena, all);
  Whole::forward<Proof>(room.ctx, room.arena, p, all, in, Out<Proof, 8>(y.data(), all.rows()), kept);
  Whole::backward<Proof>(room.ctx, room.arena, p, all, kept, In<Proof, 8>(dy_all.data(), all.rows()),
                         Out<Proof, 8>(whole.dx.data(), all.rows()), layout.bind<double>(Whole{}, whole.g.data()));
  copy_read(y, whole.y, false);

  for (const auto& [got, expected] : {std::pair(&last.y, &whole.y), {&last.dx, &whole.dx}, {&last.g, &whole.g}}) {
    REQUIRE(got->size() == expected->size());
    for (std::size_t i = 0; i < got->size(); ++i) REQUIRE((*got)[i] == Approx((*expected)[i]).margin(1e-12));
  }
}
