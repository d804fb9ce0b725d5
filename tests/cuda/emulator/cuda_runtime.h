#pragma once

// <cuda_runtime.h> for a host compiler: runs the kernels of vjepa/cuda on a machine that has neither a GPU nor the CUDA
// toolkit. Every thread of a block is a fiber; blocks run one after the other. The order of fibers between two barriers
// can be reversed, memory begins as NaN, and a barrier that not all reach is an error, as is a race (race_check.hpp),
// so that a kernel that leans on luck fails here. What it cannot show is speed.

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "race_check.hpp"

#define __host__
#define __device__
#define __global__
#define __shared__
#define __launch_bounds__(...)
#define CUDART_VERSION 13000

using std::max;
using std::min;

struct dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;

  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct [[gnu::may_alias]] alignas(16) uint4 {  // 16 bytes of whatever lies there
  unsigned x, y, z, w;
};

// Of the fiber that runs.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace vjepa::cuda {

inline constexpr std::size_t shared_bytes_of_h100 = 227 * 1024;
inline uint4 dynamic_shared_memory[shared_bytes_of_h100 / sizeof(uint4) + 4];

}  // namespace vjepa::cuda

namespace emulator {

inline constexpr int warp_size = 32;
inline bool reversed = false;  // the last thread of a block first
inline int current_device = 0;
inline std::size_t most_shared_bytes = vjepa::cuda::shared_bytes_of_h100;

struct Barrier {
  int size = 0;
  int arrived = 0;
  int generation = 0;
  const void* what = nullptr;  // that those who arrived wait for
};

struct Warp {
  Barrier barrier;
  std::uint64_t slots[warp_size][4] = {};  // what each lane shows to the others
};

/// Runs the threads of one block, each until it waits, in turn until all have ended.
class Block {
 public:
  static Block*& running() {
    static Block* block = nullptr;
    return block;
  }

  template <class Body>
  void run(int threads, Body&& body) {
    running() = this;
    body_ = [](void* b) {
      try {
        (*static_cast<std::remove_reference_t<Body>*>(b))();
      } catch (...) {  // it cannot leave the fiber by itself
        running()->thrown_ = std::current_exception();
      }
    };
    argument_ = &body;
    barrier_ = {.size = threads};
    warps_.assign(static_cast<std::size_t>(threads / warp_size), {});
    for (Warp& warp : warps_) warp.barrier.size = warp_size;
    if (fibers_.size() < static_cast<std::size_t>(threads)) fibers_.resize(static_cast<std::size_t>(threads));
    ++blocks_;
    for (int i = 0; i < threads; ++i) {
      fibers_[static_cast<std::size_t>(i)].start(first_moment(blocks_, static_cast<unsigned>(i)));
    }
    for (int left = threads; left > 0;) {
      bool moved = false;
      for (int i = 0; i < threads; ++i) {
        thread_ = reversed ? threads - 1 - i : i;
        Fiber& fiber = fibers_[static_cast<std::size_t>(thread_)];
        if (fiber.done || (fiber.barrier != nullptr && fiber.barrier->generation == fiber.generation)) continue;
        threadIdx = dim3(static_cast<unsigned>(thread_));
        moved = true;
        if (!reversed) running_thread = &fiber.thread;  // a race is one in any order
        resume(fiber);
        running_thread = nullptr;
        if (fiber.done) --left;
      }
      if (const char* race = race_found(); race != nullptr && !thrown_) {
        thrown_ = std::make_exception_ptr(std::logic_error(race));
      }
      if (thrown_) {
        fibers_.clear();  // some will wait for ever
        std::rethrow_exception(std::exchange(thrown_, nullptr));
      }
      if (!moved) throw std::logic_error("emulator: threads wait at a barrier that others of their group do not reach");
    }
  }

  /// Until all of the group wait; `what` tells one thing to wait for from another.
  void wait(Barrier& barrier, const void* what = nullptr) {
    if (barrier.arrived > 0 && barrier.what != what) {
      throw std::logic_error("emulator: threads of one group wait at different places");
    }
    barrier.what = what;
    Fiber& fiber = fibers_[static_cast<std::size_t>(thread_)];
    if (++barrier.arrived == barrier.size) {
      barrier.arrived = 0;
      ++barrier.generation;
      return;
    }
    fiber.barrier = &barrier;
    fiber.generation = barrier.generation;
    if (_setjmp(fiber.here) == 0) _longjmp(main_, 1);
    fiber.barrier = nullptr;
  }
  /// The block's barrier, and the warp's: what was done before is seen after.
  void synchronize() {
    wait(barrier_);
    ++fibers_[static_cast<std::size_t>(thread_)].thread.now.barriers;
  }
  void synchronize_warp() {
    wait(warp().barrier);
    ++fibers_[static_cast<std::size_t>(thread_)].thread.now.warp_barriers;
  }

  /// How many have run.
  static std::uint64_t blocks() { return blocks_; }

  Warp& warp() { return warps_[static_cast<std::size_t>(thread_ / warp_size)]; }
  int lane() const { return thread_ % warp_size; }

  /// Shows `mine` to the warp, and calls use(all 32 values) when every lane has shown its own.
  template <class T, class Use>
  auto exchange(const T& mine, Use&& use) {
    static_assert(sizeof(T) <= sizeof(Warp::slots[0]));
    Warp& group = warp();
    static constexpr char shown[2] = {};  // two places of each T and Use
    std::memcpy(group.slots[lane()], &mine, sizeof(T));
    wait(group.barrier, &shown[0]);
    const auto result = use([&](int l) {
      T value;
      std::memcpy(&value, group.slots[l], sizeof(T));
      return value;
    });
    wait(group.barrier, &shown[1]);
    return result;
  }

 private:
  struct Fiber {
    static constexpr std::size_t stack_bytes = 128 * 1024;
    ucontext_t context;  // where it begins
    jmp_buf here;        // where it waits
    std::unique_ptr<char[]> stack;
    RunningThread thread;
    Barrier* barrier = nullptr;
    int generation = 0;
    bool begun = false;
    bool done = false;

    void start(const Moment& first) {
      if (!stack) stack.reset(new char[stack_bytes]);
      thread = {.now = first, .stack = stack.get(), .stack_bytes = stack_bytes};
      begun = done = false;
      barrier = nullptr;
      getcontext(&context);
      context.uc_stack.ss_sp = stack.get();
      context.uc_stack.ss_size = stack_bytes;
      context.uc_link = nullptr;
      makecontext(
          &context, [] { running()->enter(); }, 0);
    }
  };

  // A switch by setjmp costs no system call, as one by swapcontext does; only a new stack needs the latter's kin.
  void resume(Fiber& fiber) {
    if (_setjmp(main_) != 0) return;
    if (fiber.begun) _longjmp(fiber.here, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
  }

  void enter() {
    body_(argument_);
    fibers_[static_cast<std::size_t>(thread_)].done = true;
    _longjmp(main_, 1);
  }

  jmp_buf main_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  Barrier barrier_;
  static inline std::uint64_t blocks_ = 0;
  int thread_ = 0;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  std::exception_ptr thrown_;
};

/// Memory of the device: what the host's own code touches of it, or any code beyond its end, is a fault. What is given
/// back counts until the host has waited for that, and then until it is trimmed off.
class DeviceMemory {
 public:
  static inline std::size_t most_bytes = SIZE_MAX;

  /// Null when there is no room.
  static void* allocate(std::size_t bytes) {
    const std::size_t used = (bytes + 255) / 256 * 256;
    if (used > most_bytes - std::min(most_bytes, counted())) return nullptr;
    const std::size_t pages = (used + page - 1) / page * page;
    void* const begin = mmap(nullptr, pages + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) return nullptr;
    all()[begin] = pages;
    taken_ += used;
    void* const data = static_cast<char*>(begin) + (pages - used);  // at the end, where the last page is never open
    const Access access;
    std::memset(data, 0xff, used);  // NaN, as float and as bf16
    watch(data, used);
    return data;
  }
  static void free(void* data) {
    const auto found = std::prev(all().upper_bound(data));
    const auto end = static_cast<char*>(found->first) + found->second;
    const auto used = static_cast<std::size_t>(end - static_cast<char*>(data));
    taken_ -= used;
    given_back_ += used;
    forget(data);
    munmap(found->first, found->second + page);
    all().erase(found);
  }
  static void wait() { free_ += std::exchange(given_back_, 0); }
  static void trim() { free_ = 0; }
  static std::size_t counted() { return taken_ + given_back_ + free_; }

  /// As long as there is one, memory is open: while a kernel or a copy runs.
  struct Access {
    Access() { protect(PROT_READ | PROT_WRITE); }
    Access(const Access&) = delete;
    ~Access() { protect(PROT_NONE); }
  };

 private:
  static constexpr std::size_t page = 4096;
  static inline std::size_t taken_ = 0;
  static inline std::size_t given_back_ = 0;
  static inline std::size_t free_ = 0;

  static std::map<void*, std::size_t>& all() {
    static std::map<void*, std::size_t> allocations;
    return allocations;
  }
  static void protect(int how) {
    for (const auto& [begin, bytes] : all()) mprotect(begin, bytes, how);
  }
};

/// Where 16 bytes are touched at once, which a card does at their multiples alone.
inline void check_16_bytes(const void* at) {
  if (reinterpret_cast<std::uintptr_t>(at) % 16 != 0) {
    throw std::logic_error("emulator: 16 bytes at an address that is no multiple of them");
  }
}

/// What a stream that is captured was given, in its order; null while none is captured.
using Recording = std::vector<std::function<void()>>;
inline Recording*& recording() {
  static Recording* capturing = nullptr;
  return capturing;
}

/// Runs what holds copies of all its arguments, or records it.
template <class Work>
void run_or_record(Work work) {
  if (recording() != nullptr) {
    recording()->push_back(std::move(work));
  } else {
    work();
  }
}

/// The shared memory that cudaFuncSetAttribute allowed a kernel on the current device.
inline std::size_t& allowed_shared(const void* kernel) {
  static std::map<std::pair<const void*, int>, std::size_t> allowed;
  return allowed[{kernel, current_device}];
}

/// As if a context of the other device had its turn: nothing may count on the device that was current for the last
/// kernel or product, or before the host waited.
inline void leave_device() {
  current_device = 1 - current_device;
}

}  // namespace emulator

inline void __stwb(uint4* to, uint4 value) {
  emulator::check_16_bytes(to);
  *to = value;
}
inline void __syncthreads() {
  emulator::Block::running()->synchronize();
}
inline void __syncwarp() {
  emulator::Block::running()->synchronize_warp();
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  emulator::Block& block = *emulator::Block::running();
  return block.exchange(value, [&](auto&& of_lane) { return of_lane(block.lane() ^ mask); });
}

// The runtime, as far as vjepa/cuda calls it. Streams are the order of the host's own calls.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor, cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold, cudaMemPoolAttrUsedMemHigh };
enum { cudaMemAllocationTypePinned, cudaMemLocationTypeDevice, cudaStreamNonBlocking, cudaEventDisableTiming };
struct Opaque {};
/// What belongs to the device that was current when it was made.
struct OfDevice {
  int device = emulator::current_device;

  bool is_current() const { return device == emulator::current_device; }
};
using cudaStream_t = OfDevice*;
using cudaEvent_t = OfDevice*;
using cudaMemPool_t = Opaque*;
using cudaGraph_t = emulator::Recording*;
using cudaGraphExec_t = const emulator::Recording*;
enum { cudaStreamCaptureModeThreadLocal };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
struct cudaDeviceProp {
  char name[256];
};
struct cudaMemPoolProps {
  int allocType;
  struct {
    int type;
    int id;
  } location;
};
struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};

inline const char* cudaGetErrorName(cudaError_t) {
  return "emulated";
}
inline const char* cudaGetErrorString(cudaError_t) {
  return "refused by the emulator";
}
inline cudaError_t cudaGetLastError() {
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 2;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  emulator::current_device = device;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  *value = which == cudaDevAttrComputeCapabilityMajor ? 9 : static_cast<int>(emulator::most_shared_bytes);
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "emulator");
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = emulator::DeviceMemory::most_bytes;
  *free = *total - emulator::DeviceMemory::counted();
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new OfDevice;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (emulator::recording() != nullptr) return cudaErrorStreamCaptureUnsupported;
  emulator::DeviceMemory::wait();
  emulator::leave_device();
  return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new OfDevice;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return event->device == stream->device ? cudaSuccess : cudaErrorInvalidResourceHandle;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
  return cudaSuccess;  // everything is done when its call returns
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) {
  if (emulator::recording() != nullptr) return cudaErrorStreamCaptureUnsupported;
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
  *pool = new Opaque;
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  emulator::DeviceMemory::trim();
  delete pool;
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<std::uint64_t*>(value) = 0;  // nothing is counted here
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  return cudaSuccess;
}
inline cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) {
  emulator::DeviceMemory::trim();
  return cudaSuccess;
}
inline cudaError_t cudaMallocFromPoolAsync(void** data, std::size_t bytes, cudaMemPool_t, cudaStream_t) {
  if (emulator::recording() != nullptr) return cudaErrorStreamCaptureUnsupported;
  *data = emulator::DeviceMemory::allocate(bytes);
  return *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t) {
  if (emulator::recording() != nullptr) return cudaErrorStreamCaptureUnsupported;
  emulator::DeviceMemory::free(data);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** data, std::size_t bytes) {
  if (emulator::recording() != nullptr) return cudaErrorStreamCaptureUnsupported;
  *data = std::malloc(bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  // A graph can hold copies of host memory, too, but they would read what lies there when it runs.
  if (emulator::recording() != nullptr && kind != cudaMemcpyDeviceToDevice) return cudaErrorStreamCaptureUnsupported;
  emulator::run_or_record([=] {
    const emulator::DeviceMemory::Access access;
    std::memcpy(to, from, bytes);
  });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t) {
  emulator::run_or_record([=] {
    const emulator::DeviceMemory::Access access;
    std::memset(data, value, bytes);
  });
  return cudaSuccess;
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t, int) {
  emulator::recording() = new emulator::Recording;
  return cudaSuccess;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = emulator::recording() != nullptr ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = std::exchange(emulator::recording(), nullptr);
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = new emulator::Recording(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t) {
  for (const auto& work : *graph) work();
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute, int value) {
  if (static_cast<std::size_t>(value) > emulator::most_shared_bytes) return cudaErrorInvalidValue;
  emulator::allowed_shared(reinterpret_cast<const void*>(kernel)) = static_cast<std::size_t>(value);
  return cudaSuccess;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const auto threads = static_cast<int>(config->blockDim.x);
  const std::size_t shared = config->dynamicSmemBytes;
  if (!config->stream->is_current()) return cudaErrorInvalidResourceHandle;
  const std::size_t allowed = max(std::size_t{48 * 1024}, emulator::allowed_shared(reinterpret_cast<void*>(kernel)));
  if (threads <= 0 || threads > 1024 || threads % emulator::warp_size != 0 || shared > allowed ||
      config->gridDim.x == 0 || config->gridDim.y == 0 || config->gridDim.y > 65535) {
    return cudaErrorInvalidValue;
  }
  emulator::run_or_record(
      [=, kept = *config, parameters = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
        const emulator::DeviceMemory::Access access;
        static emulator::Block block;
        emulator::begin_kernel(emulator::Block::blocks() + 1);
        gridDim = kept.gridDim;
        blockDim = kept.blockDim;
        auto* const memory = reinterpret_cast<unsigned char*>(vjepa::cuda::dynamic_shared_memory);
        const std::size_t guarded = shared + 64;
        for (unsigned y = 0; y < gridDim.y; ++y) {
          for (unsigned x = 0; x < gridDim.x; ++x) {
            blockIdx = dim3(x, y);
            std::memset(memory, 0xff, guarded);
            block.run(threads, [&] { std::apply(kernel, parameters); });
            if (!std::all_of(memory + shared, memory + guarded, [](unsigned char byte) { return byte == 0xff; })) {
              throw std::logic_error("emulator: a kernel wrote beyond its shared memory");
            }
          }
        }
      });
  emulator::leave_device();
  return cudaSuccess;
}
