#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <source_location>
#include <string_view>
#include <type_traits>

#include "vjepa/core/error.hpp"

namespace vjepa::cuda {

/// Throws Error with the name of the call, where it stands and CUDA's own words, unless it succeeded.
inline void check(const char* call, cudaError_t status,
                  const std::source_location& where = std::source_location::current()) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // it is told here, and not again after the next launch
  const std::string_view path = where.file_name();
  fail(call, " failed at ", path.substr(path.rfind('/') + 1), ":", where.line(), ": ", cudaGetErrorString(status), " (",
       cudaGetErrorName(status), ")");
}

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* resource) const {
    destroy(resource);
  }
};

/// The one owner of what a C library hands out as a pointer: `Handle<cudaStream_t, cudaStreamDestroy>`.
template <class T, auto destroy>
using Handle = std::unique_ptr<std::remove_pointer_t<T>, Destroy<destroy>>;

/// A point in the order of a stream.
using Event = Handle<cudaEvent_t, cudaEventDestroy>;

inline Event event() {
  cudaEvent_t made = nullptr;
  check("cudaEventCreateWithFlags", cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
  return Event(made);
}

/// A stream that does not wait for the default one.
using Stream = Handle<cudaStream_t, cudaStreamDestroy>;

inline Stream stream() {
  cudaStream_t made = nullptr;
  check("cudaStreamCreateWithFlags", cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
  return Stream(made);
}

}  // namespace vjepa::cuda
