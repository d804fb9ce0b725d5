#include "vjepa/core/arena.hpp"

#include <cstdint>

#include "catch.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;
using D = Cpu<float>;

TEST_CASE("an arena hands out aligned memory and takes it back by scopes") {
  D::Context ctx(1);
  Arena<D> arena(ctx, 4096);
  const auto a = arena.take<float, Dyn, 3>(5);
  CHECK(a.rows() == 5);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  const std::size_t used = arena.used();
  {
    const Arena<D>::Scope scope(arena);
    const auto b = arena.take<float, Dyn>(100);
    CHECK(reinterpret_cast<std::uintptr_t>(b.data()) % 64 == 0);
    CHECK(b.data() >= a.data() + 15);
  }
  CHECK(arena.used() == used);
  CHECK(arena.peak() == used + 448);
}

TEST_CASE("an arena that is too small says so") {
  D::Context ctx(1);
  Arena<D> arena(ctx, 128);
  CHECK_THROWS_WITH((arena.take<float, Dyn>(100)), Contains("448 bytes wanted, 128") && Contains("dry run"));
}

TEST_CASE("a dry run measures without memory") {
  using E = Estimate<D>;
  E::Context ctx;
  Arena<E> arena(ctx, E::unlimited);
  static_cast<void>(arena.take<float, Dyn>(Index{1} << 40));
  CHECK(arena.peak() == std::size_t{4} << 40);
}
