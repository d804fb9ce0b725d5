#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// The pixels of up to two steps on the device: those of the next are copied while the work on the first goes on, where
/// the device can do both. Memory for a second is taken when there is one.
template <Memory D>
class ClipFeed {
 public:
  explicit ClipFeed(Context<D>& ctx) : ctx_(&ctx), slots_{Slot(ctx), Slot(ctx)} {}

  int size() const { return size_; }

  /// Copies the pixels, which may be overwritten on return. Throws Error when two are there.
  void push(std::span<const float> pixels) {
    if (size_ == 2) fail("vjepa::ClipFeed: the clips of two steps are there; take one before the next");
    Slot& slot = slots_[static_cast<std::size_t>((first_ + size_) % 2)];
    const auto count = static_cast<Index>(pixels.size());
    if (slot.memory.size() < count) {
      slot.memory = Array<D, float>();  // before the new one, so that both are never held
      slot.memory = Array<D, float>(*ctx_, count);
      slot.feed.release(*ctx_);
    }
    slot.feed.upload(*ctx_, pixels.data(), slot.memory.data(), pixels.size_bytes());
    slot.count = count;
    ++size_;
  }

  /// What was pushed first, for the context's work from here to `pop`.
  Vec<const float> front() {
    Slot& slot = slots_[static_cast<std::size_t>(first_)];
    slot.feed.await(*ctx_);
    return Vec<const float>(slot.memory.data(), slot.count);
  }

  void pop() {
    slots_[static_cast<std::size_t>(first_)].feed.release(*ctx_);
    first_ = 1 - first_;
    --size_;
  }

 private:
  struct Slot {
    explicit Slot(Context<D>& ctx) : feed(ctx) {}

    Array<D, float> memory;  // outlives the feed that writes it
    typename D::Feed feed;
    Index count = 0;  // pixels that are there
  };

  Context<D>* ctx_;
  std::array<Slot, 2> slots_;
  int first_ = 0;
  int size_ = 0;
};

}  // namespace vjepa
