#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "vjepa/cuda/context.cuh"
#include "vjepa/cuda/resource.cuh"

namespace vjepa::cuda {

/// Memory of the device, in the order of the context's stream.
struct Memory {
  static void* allocate(Context& ctx, std::size_t bytes) { return ctx.allocate(bytes); }
  static void deallocate(Context& ctx, void* data) { ctx.deallocate(data); }
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
