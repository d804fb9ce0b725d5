#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// A block of device memory with one owner. The context must outlive it.
template <Memory D>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Context<D>& ctx, std::size_t bytes) : ctx_(&ctx), bytes_(bytes) {
    if (bytes_ > 0) data_ = D::allocate(ctx, bytes_);
  }
  Buffer(Buffer&& other) noexcept
      : ctx_(other.ctx_), data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(ctx_, other.ctx_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) D::deallocate(*ctx_, data_);
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Context<D>* ctx_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A buffer of `T` that begins as zeros, seen as a vector, with copies from and to the host.
template <Memory D, class T>
class Array {
 public:
  Array() = default;
  Array(Context<D>& ctx, Index size) : buffer_(ctx, sizeof(T) * static_cast<std::size_t>(size)), size_(size) {
    clear(ctx);
  }
  Array(Context<D>& ctx, std::span<const T> host) : Array(ctx, static_cast<Index>(host.size())) { upload(ctx, host); }

  T* data() const { return static_cast<T*>(buffer_.data()); }
  Index size() const { return size_; }
  Vec<T> view() const { return Vec<T>(data(), size_); }

  void clear(Context<D>& ctx) {
    if (size_ > 0) D::clear(ctx, data(), buffer_.bytes());
  }
  /// `host` holds size() values.
  void upload(Context<D>& ctx, std::span<const T> host) {
    if (static_cast<Index>(host.size()) != size_) {
      fail("vjepa::Array: ", host.size(), " values given for ", size_);
    }
    if (size_ > 0) D::upload(ctx, host.data(), data(), buffer_.bytes());
  }
  std::vector<T> download(Context<D>& ctx) const {
    std::vector<T> host(static_cast<std::size_t>(size_));
    if (size_ > 0) D::download(ctx, data(), host.data(), buffer_.bytes());
    return host;
  }

 private:
  Buffer<D> buffer_;
  Index size_ = 0;
};

/// A stack of device memory for activations: taking moves a pointer, leaving a Scope moves it back.
/// Nothing is allocated after construction; the size comes from a dry run on `Estimate<D>`.
template <Memory D>
class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  Arena() = default;
  Arena(Context<D>& ctx, std::size_t bytes) : buffer_(ctx, bytes) {}

  /// Uninitialised memory for a dense view; the arguments are its dynamic extents.
  /// Throws Error when the arena is too small.
  template <class T, Index... E, class... Dynamic>
  View<T, E...> take(Dynamic... dynamic) {
    const View<T, E...> sized(nullptr, dynamic...);
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(sized.size());
    return View<T, E...>(static_cast<T*>(take_bytes(bytes)), dynamic...);
  }

  std::size_t used() const { return used_; }
  std::size_t peak() const { return peak_; }
  std::size_t capacity() const { return buffer_.bytes(); }

  /// Gives back, when it ends, everything taken since it began.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), used_(arena.used_) {}
    Scope(const Scope&) = delete;
    ~Scope() { arena_.used_ = used_; }

   private:
    Arena& arena_;
    std::size_t used_;
  };

 private:
  void* take_bytes(std::size_t bytes) {
    const std::size_t begin = used_;
    used_ = (begin + bytes + alignment - 1) / alignment * alignment;
    peak_ = std::max(peak_, used_);
    if (used_ > buffer_.bytes()) {
      fail("vjepa::Arena: ", used_, " bytes wanted, ", buffer_.bytes(),
           " there; size the arena with a dry run of the same work");
    }
    return static_cast<std::byte*>(buffer_.data()) + begin;
  }

  Buffer<D> buffer_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace vjepa
