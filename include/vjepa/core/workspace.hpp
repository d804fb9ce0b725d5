#pragma once

#include <cstddef>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/estimate.hpp"

namespace vjepa {

/// Memory for activations that is as large as its work needs. How much that is changes from call to call, with the
/// tokens that masks keep: a dry run measures it, which costs nothing beside the work, and the arena grows only when
/// a call needs more than any before.
template <Device D>
class Workspace {
 public:
  /// Calls work.template operator()<E>(Context<E>&, Arena<E>&) twice: with E = Estimate<D>, which computes nothing,
  /// then with E = D.
  template <class Work>
  void run(Context<D>& ctx, Work&& work) {
    typename Estimate<D>::Context dry;
    Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
    work.template operator()<Estimate<D>>(dry, dry_arena);
    if (dry_arena.peak() > arena_.capacity()) {
      arena_ = Arena<D>();  // before the new one, so that both are never held
      arena_ = Arena<D>(ctx, dry_arena.peak());
    }
    const typename Arena<D>::Scope scope(arena_);
    work.template operator()<D>(ctx, arena_);
  }

  std::size_t bytes() const { return arena_.capacity(); }

 private:
  Arena<D> arena_;
};

}  // namespace vjepa
