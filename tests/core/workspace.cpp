#include "vjepa/core/workspace.hpp"

#include <cstdint>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

namespace {

/// A device that tells by which numbers it was asked to repeat work.
struct Told : Cpu<float> {
  static inline std::vector<std::uint64_t> keys;
  static inline int forgotten = 0;

  struct Replay {
    template <class Work>
    void run(Context&, std::uint64_t key, Work&& work) {
      keys.push_back(key);
      work();
    }
    void forget() { ++forgotten; }
  };
};

}  // namespace

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

TEST_CASE("a workspace asks for the same work by the same number, and for no other") {
  Told::Context ctx(1);
  Told::keys.clear();
  Told::forgotten = 0;
  Workspace<Told> workspace;
  const Array<Told, float> input(ctx, 64);
  const Array<Told, float> other(ctx, 64);
  const auto work = [&](const float* from, Index rows, double eps, bool twice) {
    workspace.run(ctx, [&]<class E>(Context<E>& context, Arena<E>& arena) {
      const auto y = arena.template take<float, Dyn, Dyn>(rows, Index{8});
      const Mat<const float> x(from, rows, Index{8});
      E::normalize(context, x, eps, y);
      if (twice) E::normalize(context, x, eps, y);
    });
    return Told::keys.back();
  };
  const std::uint64_t first = work(input.data(), 8, 1e-5, false);
  CHECK(Told::forgotten == 1);  // the workspace had no memory
  CHECK(work(input.data(), 8, 1e-5, false) == first);
  CHECK(work(other.data(), 8, 1e-5, false) != first);
  CHECK(work(input.data(), 4, 1e-5, false) != first);
  CHECK(work(input.data(), 8, 1e-6, false) != first);
  CHECK(work(input.data(), 8, 1e-5, true) != first);
  CHECK(work(input.data(), 8, 1e-5, false) == first);
  CHECK(Told::forgotten == 1);
}

TEST_CASE("work that reaches the host or takes memory is not repeated") {
  Told::Context ctx(1);
  Told::keys.clear();
  Workspace<Told> workspace;
  const Array<Told, float> x(ctx, 4);
  float host[4] = {1, 2, 3, 4};
  int runs = 0;
  workspace.run(ctx, [&]<class E>(Context<E>& context, Arena<E>&) {
    E::upload(context, host, x.data(), sizeof(host));
    ++runs;
  });
  workspace.run(ctx, [&]<class E>(Context<E>& context, Arena<E>&) {
    E::download(context, x.data(), host, sizeof(host));
    ++runs;
  });
  workspace.run(ctx, [&]<class E>(Context<E>& context, Arena<E>&) {
    const Array<E, float> taken(context, 4);
    ++runs;
  });
  CHECK(runs == 6);
  CHECK(Told::keys.empty());
}
