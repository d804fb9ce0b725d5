#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "vjepa/cuda/resource.hpp"

namespace vjepa::cuda {

/// Two buffers of pinned host memory through which uploads go in turn: the host fills one while the copy engine
/// empties the other, and the caller's memory is free when the last piece has been copied here.
class Staging {
 public:
  void upload(const void* host, void* device, std::size_t bytes, cudaStream_t stream) {
    for (std::size_t done = 0; done < bytes;) {
      const std::size_t count = std::min(capacity, bytes - done);
      Slot& slot = slots_[next_];
      next_ = 1 - next_;
      slot.prepare(std::max(count, std::min(capacity, bytes)));
      std::memcpy(slot.data.get(), static_cast<const std::byte*>(host) + done, count);
      check("cudaMemcpyAsync", cudaMemcpyAsync(static_cast<std::byte*>(device) + done, slot.data.get(), count,
                                               cudaMemcpyHostToDevice, stream));
      check("cudaEventRecord", cudaEventRecord(slot.emptied.get(), stream));
      done += count;
    }
  }

 private:
  static constexpr std::size_t capacity = std::size_t{16} << 20;

  struct Slot {
    Handle<void*, cudaFreeHost> data;
    Event emptied;
    std::size_t bytes = 0;

    /// Waits until the last copy out of this slot is done, and makes it large enough.
    void prepare(std::size_t wanted) {
      if (!emptied) emptied = event();
      check("cudaEventSynchronize", cudaEventSynchronize(emptied.get()));
      if (wanted <= bytes) return;
      bytes = 0;
      data.reset();
      void* pinned = nullptr;
      check("cudaMallocHost", cudaMallocHost(&pinned, wanted));
      data.reset(pinned);
      bytes = wanted;
    }
  };

  Slot slots_[2];
  int next_ = 0;
};

}  // namespace vjepa::cuda
