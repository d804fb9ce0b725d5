#include "vjepa/core/workspace.hpp"

#include <type_traits>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

TEST_CASE("a workspace is as large as the largest work so far, and keeps its memory for smaller work") {
  using D = Cpu<float>;
  D::Context ctx(1);
  Workspace<D> workspace;
  CHECK(workspace.bytes() == 0);
  const float* first = nullptr;
  const auto use = [&](Index rows) {
    int runs = 0;
    workspace.run(ctx, [&]<class E>(Context<E>& context, Arena<E>& arena) {
      const auto x = arena.template take<float, Dyn>(rows);
      E::clear(context, x.data(), sizeof(float) * static_cast<std::size_t>(rows));
      if constexpr (std::is_same_v<E, D>) first = x.data();
      ++runs;
    });
    CHECK(runs == 2);
  };
  use(16);
  CHECK(workspace.bytes() == 64);
  use(160);
  CHECK(workspace.bytes() == 640);
  const float* const kept = first;
  use(16);
  CHECK(workspace.bytes() == 640);
  CHECK(first == kept);
}
