#pragma once

#include <cstddef>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/estimate.hpp"

namespace vjepa {

/// Memory for activations that is as large as its work needs. How much that is changes from call to call, with the
/// tokens that masks keep: a dry run measures it, which costs nothing beside the work, and the arena grows only when
/// a call needs more than any before. The dry run tells as well whether the work has come before, for devices that can
/// repeat it.
template <Device D>
class Workspace {
 public:
  /// Calls work.template operator()<E>(Context<E>&, Arena<E>&) twice: with E = Estimate<D>, which computes nothing,
  /// then with E = D; but a device that has done the same before may repeat that in place of the second call. So `work`
  /// calls E's functions, and leaves nothing behind but what they do.
  template <class Work>
  void run(Context<D>& ctx, Work&& work) {
    typename Estimate<D>::Context dry;
    Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
    dry = {};  // the arena itself is no part of the work
    work.template operator()<Estimate<D>>(dry, dry_arena);
    if (dry_arena.peak() > arena_.capacity()) {
      arena_ = Arena<D>();  // before the new one, so that both are never held
      arena_ = Arena<D>(ctx, dry_arena.peak());
      replay_.forget();
    }
    const typename Arena<D>::Scope scope(arena_);
    const auto real = [&] { work.template operator()<D>(ctx, arena_); };
    if (!dry.repeatable) return real();
    replay_.run(ctx, dry.work.value(), real);
  }

  std::size_t bytes() const { return arena_.capacity(); }

 private:
  Arena<D> arena_;
  typename D::Replay replay_;
};

}  // namespace vjepa
