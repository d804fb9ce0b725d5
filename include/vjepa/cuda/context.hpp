#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <typeinfo>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/cuda/products.hpp"
#include "vjepa/cuda/resource.hpp"
#include "vjepa/cuda/staging.hpp"

namespace vjepa::cuda {

/// What a context is told beside its device.
struct ContextOptions {
  bool tf32 = false;    // products of float32 by tensor cores, which keep 10 bits of each factor
  bool graphs = false;  // passes of repeated shapes run as CUDA graphs
};

/// One CUDA device, a stream on which all work of the context happens in order, memory for it, and cuBLASLt. One
/// context serves one caller at a time. Its memory comes from a pool of its own, so that taking and giving back wait
/// for nothing.
class Context {
 public:
  /// Throws Error that says what to choose instead when the machine has no such device or no driver.
  explicit Context(int device = 0, ContextOptions options = {})
      : device_(checked(device)), name_(name_of(device)), options_(options) {
    make_current();
    int shared = 0;
    check("cudaDeviceGetAttribute", cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device_));
    most_shared_bytes_ = static_cast<std::size_t>(shared);
    stream_ = cuda::stream();
    copy_stream_ = cuda::stream();
    cudaMemPoolProps props{};
    props.allocType = cudaMemAllocationTypePinned;
    props.location.type = cudaMemLocationTypeDevice;
    props.location.id = device_;
    cudaMemPool_t pool = nullptr;
    check("cudaMemPoolCreate", cudaMemPoolCreate(&pool, &props));
    pool_.reset(pool);
    // Memory that was given back stays in the pool: the arrays of a batch come and go with every step.
    std::uint64_t keep = UINT64_MAX;
    check("cudaMemPoolSetAttribute", cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
    products_ = std::make_unique<Products>(options.tf32, allocate(Products::workspace_bytes));
  }
  Context(const Context&) = delete;
  ~Context() {
    // Nothing can be done about a failure here, and the next call would report it.
    cudaSetDevice(device_);
    cudaFreeAsync(products_->workspace(), stream_.get());
    if (scratch_ != nullptr) cudaFreeAsync(scratch_, stream_.get());
    cudaStreamSynchronize(copy_stream_.get());
    cudaStreamSynchronize(stream_.get());
  }

  int device() const { return device_; }
  /// As its maker calls it: "NVIDIA H100 80GB HBM3".
  const std::string& name() const { return name_; }
  const ContextOptions& options() const { return options_; }

  /// The most shared memory that a block may ask for, in bytes.
  std::size_t most_shared_bytes() const { return most_shared_bytes_; }

  /// Makes the context's device that of the calling thread, which CUDA takes wherever it is told none.
  void make_current() const { check("cudaSetDevice", cudaSetDevice(device_)); }

  /// The stream of this context; its device becomes that of the calling thread, as launches want it.
  cudaStream_t stream() const {
    make_current();
    return stream_.get();
  }

  /// Another, for copies beside that work; its device becomes that of the calling thread.
  cudaStream_t copy_stream() const {
    make_current();
    return copy_stream_.get();
  }

  /// Device memory, aligned to 256 bytes. Throws Error when there is not so much.
  void* allocate(std::size_t bytes) {
    cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusNone;
    check("cudaStreamIsCapturing", cudaStreamIsCapturing(stream(), &capturing));
    if (capturing != cudaStreamCaptureStatusNone) {
      // It would belong to the graph.
      fail("cuda:", device_, ": ", bytes,
           " bytes are taken within work that becomes a CUDA graph; leave out "
           "--cuda-graphs (ContextOptions::graphs), or take them before");
    }
    void* data = nullptr;
    const auto taken = [&] {
      const cudaError_t status = cudaMallocFromPoolAsync(&data, bytes, pool_.get(), stream());
      if (status == cudaErrorMemoryAllocation) cudaGetLastError();  // the next launch is not told of it
      return status;
    };
    cudaError_t status = taken();
    if (status == cudaErrorMemoryAllocation) {
      // What was given back counts until the host has waited for it, and stays in pieces that may be too small.
      check("cudaStreamSynchronize", cudaStreamSynchronize(stream()));
      check("cudaMemPoolTrimTo", cudaMemPoolTrimTo(pool_.get(), 0));
      status = taken();
    }
    if (status == cudaErrorMemoryAllocation) {
      std::size_t free = 0;
      std::size_t total = 0;
      check("cudaMemGetInfo", cudaMemGetInfo(&free, &total));
      fail("cuda:", device_, " (", name_, "): cannot allocate ", bytes, " bytes, ", free, " of ", total,
           " are free; use a smaller batch, crop or model");
    }
    check("cudaMallocFromPoolAsync", status);
    return data;
  }
  void deallocate(void* data) noexcept {
    // Of a device that has failed, whoever used it last was told.
    cudaSetDevice(device_);
    cudaFreeAsync(data, stream_.get());
  }

  /// The most bytes of arrays at one time since the last reset, workspace and scratch of the context included.
  std::size_t peak_memory() const {
    std::uint64_t bytes = 0;
    check("cudaMemPoolGetAttribute", cudaMemPoolGetAttribute(pool_.get(), cudaMemPoolAttrUsedMemHigh, &bytes));
    return bytes;
  }
  void reset_peak_memory() {
    std::uint64_t zero = 0;
    check("cudaMemPoolSetAttribute", cudaMemPoolSetAttribute(pool_.get(), cudaMemPoolAttrUsedMemHigh, &zero));
  }

  /// Device memory for what one kernel hands to the next, valid until the next call.
  template <class T>
  T* scratch(Index count) {
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(count);
    if (bytes > scratch_bytes_) {
      if (scratch_ != nullptr) deallocate(scratch_);
      scratch_ = nullptr;
      scratch_bytes_ = 0;
      scratch_ = allocate(bytes);
      scratch_bytes_ = bytes;
    }
    return static_cast<T*>(scratch_);
  }

  /// What a policy keeps with the context, made as T(*this) when it is first asked for; the device becomes that of the
  /// calling thread.
  template <class T>
  T& kept() {
    make_current();
    std::shared_ptr<void>& slot = kept_[std::type_index(typeid(T))];
    if (!slot) slot = std::make_shared<T>(*this);
    return *static_cast<T*>(slot.get());
  }

  /// Puts an executable graph on the stream.
  void launch_graph(cudaGraphExec_t graph) {
    check("cudaGraphLaunch", cudaGraphLaunch(graph, stream()));
    ++graph_launches_;
  }
  /// Passes that ran as graphs so far.
  std::int64_t graph_launches() const { return graph_launches_; }

  Staging& staging() { return staging_; }
  /// Of cuBLASLt; the device becomes that of the calling thread.
  Products& products() {
    make_current();
    return *products_;
  }

 private:
  static int checked(int device) {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorInsufficientDriver) {
      fail("cuda:", device, ": this machine has no CUDA driver, or one older than this build's CUDA ",
           CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10, "; install NVIDIA's driver, or choose cpu");
    }
    if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
      fail("cuda:", device, ": this machine has no CUDA device; choose cpu");
    }
    check("cudaGetDeviceCount", status);
    if (device < 0 || device >= count) {
      std::string choices = "cuda:0";
      for (int i = 1; i < count; ++i) choices += text(i + 1 < count ? ", " : " or ", "cuda:", i);
      fail("cuda:", device, ": this machine has ", count, count == 1 ? " CUDA device" : " CUDA devices", "; choose ",
           choices);
    }
    int major = 0;
    check("cudaDeviceGetAttribute", cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    if (major < 8) {
      fail("cuda:", device, " (", name_of(device), "): compute capability ", major,
           ".x; vjepa needs 8.0 or later, an A100 or newer");
    }
    return device;
  }

  static std::string name_of(int device) {
    cudaDeviceProp properties{};
    check("cudaGetDeviceProperties", cudaGetDeviceProperties(&properties, device));
    return properties.name;
  }

  int device_;
  std::string name_;
  ContextOptions options_;
  std::size_t most_shared_bytes_ = 0;
  Handle<cudaMemPool_t, cudaMemPoolDestroy> pool_;
  Stream stream_;
  Stream copy_stream_;
  Staging staging_;
  std::unique_ptr<Products> products_;
  std::map<std::type_index, std::shared_ptr<void>> kept_;
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
  std::int64_t graph_launches_ = 0;
};

}  // namespace vjepa::cuda
