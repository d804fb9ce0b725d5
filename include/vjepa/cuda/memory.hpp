#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "vjepa/cuda/context.hpp"
#include "vjepa/cuda/replay.hpp"
#include "vjepa/cuda/resource.hpp"

namespace vjepa::cuda {

/// Uploads on the context's copy stream. The copy engine works beside the kernels; the host waits only for its own copy
/// into pinned memory.
class Feed {
 public:
  static constexpr bool beside = true;

  explicit Feed(Context& ctx) : ctx_(&ctx) {
    ctx.make_current();  // events are of its device
    arrived_ = event();
    released_ = event();
  }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  ~Feed() {
    try {
      await(*ctx_);
    } catch (const Error&) {  // the device has failed, and whoever used it last was told
    }
  }

  void upload(Context& ctx, const void* host, void* device, std::size_t bytes) {
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(ctx.copy_stream(), released_.get(), 0));
    ctx.staging().upload(host, device, bytes, ctx.copy_stream());
  }
  void await(Context& ctx) {
    check("cudaEventRecord", cudaEventRecord(arrived_.get(), ctx.copy_stream()));
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(ctx.stream(), arrived_.get(), 0));
  }
  void release(Context& ctx) { check("cudaEventRecord", cudaEventRecord(released_.get(), ctx.stream())); }

 private:
  Context* ctx_;
  Event arrived_;
  Event released_;
};

/// Memory of the device, in the order of the context's stream.
struct Memory {
  using Feed = cuda::Feed;
  using Replay = cuda::Replay;

  static void* allocate(Context& ctx, std::size_t bytes) { return ctx.allocate(bytes); }
  static void deallocate(Context& ctx, void* data) noexcept { ctx.deallocate(data); }
  static void upload(Context& ctx, const void* host, void* device, std::size_t bytes) {
    ctx.staging().upload(host, device, bytes, ctx.stream());
  }
  static void download(Context& ctx, const void* device, void* host, std::size_t bytes) {
    check("cudaMemcpyAsync", cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, ctx.stream()));
    synchronize(ctx);
  }
  static void copy(Context& ctx, const void* source, void* target, std::size_t bytes) {
    check("cudaMemcpyAsync", cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, ctx.stream()));
  }
  static void clear(Context& ctx, void* data, std::size_t bytes) {
    check("cudaMemsetAsync", cudaMemsetAsync(data, 0, bytes, ctx.stream()));
  }
  static void synchronize(Context& ctx) { check("cudaStreamSynchronize", cudaStreamSynchronize(ctx.stream())); }
};

}  // namespace vjepa::cuda
