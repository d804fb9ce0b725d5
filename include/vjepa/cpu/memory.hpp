#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "vjepa/core/error.hpp"
#include "vjepa/cpu/context.hpp"

namespace vjepa::cpu {

/// Host memory: device and host share it, so that traffic is plain copying.
struct Memory {
  static void* allocate(Context&, std::size_t bytes) {
    void* data = ::operator new (bytes, std::align_val_t{64}, std::nothrow);
    if (data == nullptr) {
      fail("vjepa::Cpu: cannot allocate ", bytes, " bytes; use a smaller batch, crop or model");
    }
    return data;
  }
  static void deallocate(Context&, void* data) { ::operator delete (data, std::align_val_t{64}); }
  static void upload(Context&, const void* host, void* device, std::size_t bytes) { std::memcpy(device, host, bytes); }
  static void download(Context&, const void* device, void* host, std::size_t bytes) {
    std::memcpy(host, device, bytes);
  }
  static void copy(Context&, const void* source, void* target, std::size_t bytes) {
    std::memcpy(target, source, bytes);
  }
  static void clear(Context&, void* data, std::size_t bytes) { std::memset(data, 0, bytes); }
  static void synchronize(Context&) {}

  struct Feed {
    static constexpr bool beside = false;

    explicit Feed(Context&) {}
    void upload(Context& ctx, const void* host, void* device, std::size_t bytes) {
      Memory::upload(ctx, host, device, bytes);
    }
    void await(Context&) {}
    void release(Context&) {}
  };

  /// A call costs the host nothing beside what it computes there: nothing is kept.
  struct Replay {
    template <class Work>
    void run(Context&, std::uint64_t, Work&& work) {
      work();
    }
    void forget() {}
  };
};

}  // namespace vjepa::cpu
