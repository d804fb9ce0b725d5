#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/convert.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/pixels.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/cut_clip.hpp"

namespace vjepa {

/// The pixels of up to two steps on the device, in its scalar: those of the next are copied while the work on the first
/// goes on, where the device can do both. Memory for a second is taken when there is one. Clips that were cut out are
/// resized when they are asked for.
template <Device D>
class ClipFeed {
 public:
  using Pixel = Scalar<D>;

  explicit ClipFeed(Context<D>& ctx) : ctx_(&ctx), slots_{Slot(ctx), Slot(ctx)} {}

  int size() const { return size_; }

  /// Copies the pixels, which may be overwritten on return. Throws Error when two are there.
  void push(std::span<const float> pixels) {
    Slot& slot = free_slot(static_cast<Index>(sizeof(Pixel) * pixels.size()));
    convert_in_pieces<Pixel>(pixels, [&](std::span<const Pixel> piece, std::size_t begin) {
      slot.feed.upload(*ctx_, piece.data(), slot.memory.data() + sizeof(Pixel) * begin, piece.size_bytes());
    });
    slot.count = static_cast<Index>(pixels.size());
    slot.pictures = 0;
    ++size_;
  }

  /// Copies clips of equally many frames, to be resized to size x size. The memory is that of the largest so far, which
  /// depends on the size of the videos. Throws Error when two are there.
  void push(std::span<const CutClip> clips, Index size) {
    // The pictures first, then what they speak of.
    std::vector<Picture> pictures;
    std::size_t begin = 0;
    for (const CutClip& clip : clips) begin += sizeof(Picture) * static_cast<std::size_t>(clip.frames.count);
    std::size_t end = begin;
    for (const auto& [frames, mirrored] : clips) {
      for (Index t = 0; t < frames.count; ++t, end += static_cast<std::size_t>(frames.frame_size())) {
        pictures.push_back({static_cast<std::int64_t>(end), static_cast<std::int32_t>(frames.height),
                            static_cast<std::int32_t>(frames.width), mirrored});
      }
    }
    Slot& slot = free_slot(static_cast<Index>(end), static_cast<Index>(end / 4));
    slot.feed.upload(*ctx_, pictures.data(), slot.memory.data(), begin);
    for (const CutClip& clip : clips) {
      slot.feed.upload(*ctx_, clip.frames.pixels.data(), slot.memory.data() + begin, clip.frames.pixels.size());
      begin += clip.frames.pixels.size();
    }
    slot.pictures = static_cast<Index>(pictures.size());
    slot.clips = static_cast<Index>(clips.size());
    slot.size = size;
    slot.count = slot.pictures * 3 * size * size;
    ++size_;
  }

  /// What was pushed first, [clips, 3, frames, size, size], for the context's work from here to `pop`. Throws Error
  /// when there is nothing.
  Vec<const Pixel> front() {
    if (size_ == 0) fail("vjepa::ClipFeed: there are no clips; push those of a step first");
    Slot& slot = slots_[static_cast<std::size_t>(first_)];
    slot.feed.await(*ctx_);
    const std::uint8_t* const memory = slot.memory.data();
    if (slot.pictures == 0) return Vec<const Pixel>(reinterpret_cast<const Pixel*>(memory), slot.count);
    if (resized_.size() < slot.count) reallocate(resized_, slot.count);
    D::resize_pictures(*ctx_, Vec<const std::uint8_t>(memory, slot.memory.size()),
                       View<const Picture, Dyn>(reinterpret_cast<const Picture*>(memory), slot.pictures),
                       natural_pixels,
                       Clips<Pixel>(resized_.data(), slot.clips, 3, slot.pictures / slot.clips, slot.size, slot.size));
    return Vec<const Pixel>(resized_.data(), slot.count);
  }

  void pop() {
    slots_[static_cast<std::size_t>(first_)].feed.release(*ctx_);
    first_ = 1 - first_;
    --size_;
  }

 private:
  struct Slot {
    explicit Slot(Context<D>& ctx) : feed(ctx) {}

    Array<D, std::uint8_t> memory;  // outlives the feed that writes it
    typename D::Feed feed;
    Index count = 0;     // pixels that are there, or will be
    Index pictures = 0;  // of clips cut out; 0: the pixels are there
    Index clips = 0;
    Index size = 0;
  };

  /// The next slot, made large enough; memory that has to grow becomes larger by `spare` bytes than is needed.
  Slot& free_slot(Index bytes, Index spare = 0) {
    if (size_ == 2) fail("vjepa::ClipFeed: the clips of two steps are there; take one before the next");
    Slot& slot = slots_[static_cast<std::size_t>((first_ + size_) % 2)];
    if (slot.memory.size() < bytes) {
      reallocate(slot.memory, bytes + spare);
      slot.feed.release(*ctx_);
    }
    return slot;
  }

  template <class T>
  void reallocate(Array<D, T>& array, Index count) {
    array = Array<D, T>();  // before the new one, so that both are never held
    array = Array<D, T>(*ctx_, count);
  }

  Context<D>* ctx_;
  std::array<Slot, 2> slots_;
  Array<D, Pixel> resized_;  // the front's
  int first_ = 0;
  int size_ = 0;
};

}  // namespace vjepa
