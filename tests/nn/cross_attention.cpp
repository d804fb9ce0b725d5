#include "vjepa/nn/cross_attention.hpp"

#include <vector>

#include "module_check.hpp"
#include "vjepa/nn/cross_block.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

// Fewer tokens ask than answer; x holds the asking rows, then the answering rows.
constexpr Sequences asking{.batch = 2, .tokens = 3};
constexpr Sequences answering{.batch = 2, .tokens = 70};

template <Index N, class T>
View<T, Dyn, N> first(Vec<T> x) {
  return rows<N>(x.slice(0, asking.rows() * N));
}
template <Index N, class T>
View<T, Dyn, N> second(Vec<T> x) {
  return rows<N>(x.slice(asking.rows() * N, answering.rows() * N));
}

}  // namespace

TEST_CASE("CrossAttention: the gradient is that of finite differences, of both sides") {
  using Module = CrossAttention<12, 3>;
  Room room;
  const std::vector<double> zeros(static_cast<std::size_t>(asking.rows() * 12));
  const In<Proof, 12> skip(zeros.data(), asking.rows());
  require_small(check_module(
      Module{}, (asking.rows() + answering.rows()) * 12, asking.rows() * 12,
      [&](const auto& p, auto x, auto y) {
        const Arena<Proof>::Scope scope(room.arena);
        Module::forward<Proof>(room.ctx, p, asking, answering, first<12>(x), second<12>(x), skip, rows<12>(y),
                               Module::Saved<Proof>::take_for_inference(room.arena, asking, answering));
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        const auto saved = Module::Saved<Proof>::take(room.arena, asking, answering);
        const auto y = room.arena.take<double, Dyn, 12>(asking.rows());
        Module::forward<Proof>(room.ctx, p, asking, answering, first<12>(x), second<12>(x), skip, y, saved);
        Module::backward<Proof>(room.ctx, room.arena, p, asking, answering, first<12>(x), second<12>(x), saved,
                                rows<12>(dy), first<12>(dx), second<12>(dx), g);
      }));
}

TEST_CASE("CrossBlock: the gradient is that of finite differences, of both sides") {
  using Module = CrossBlock<8, 2, 24>;
  Room room;
  require_small(check_module(
      Module{}, (asking.rows() + answering.rows()) * 8, asking.rows() * 8,
      [&](const auto& p, auto x, auto y) {
        const Arena<Proof>::Scope scope(room.arena);
        auto saved = Module::Saved<Proof>::take_for_inference(room.arena, asking, answering);
        Module::forward<Proof>(room.ctx, room.arena, p, asking, answering, first<8>(x), second<8>(x), rows<8>(y),
                               saved);
      },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        auto saved = Module::Saved<Proof>::take(room.arena, asking, answering);
        const auto y = room.arena.take<double, Dyn, 8>(asking.rows());
        Module::forward<Proof>(room.ctx, room.arena, p, asking, answering, first<8>(x), second<8>(x), y, saved);
        Module::backward<Proof>(room.ctx, room.arena, p, asking, answering, saved, rows<8>(dy), first<8>(dx),
                                second<8>(dx), g);
      }));
}

TEST_CASE("CrossAttention: the product that is never applied is kept, and no weight decay shrinks it") {
  const ParamLayout layout{CrossAttention<12, 3>{}};
  int kept = 0;
  for (const ParamInfo& p : layout.params()) {
    if (!p.name.starts_with("proj.")) continue;
    ++kept;
    CHECK(!p.decayed());
    CHECK(p.offset >= layout.decayed_size());
  }
  CHECK(kept == 2);
}
