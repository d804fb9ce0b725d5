#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa::cpu {

/// 64-byte aligned memory that grows and keeps what it has.
class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
    other.bytes_ = 0;
  }
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() { release(); }

  template <class T>
  T* get(Index count) {
    const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(count);
    if (bytes > bytes_) {
      release();
      data_ = ::operator new (bytes, std::align_val_t{64});
      bytes_ = bytes;
    }
    return static_cast<T*>(data_);
  }

 private:
  void release() {
    if (data_ != nullptr) ::operator delete (data_, std::align_val_t{64});
    data_ = nullptr;
    bytes_ = 0;
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A number of threads and their scratch memory. One context serves one caller at a time.
class Context {
 public:
  /// `threads` 0 asks for as many as OpenMP would use (OMP_NUM_THREADS, or every core).
  explicit Context(int threads = 0) : threads_(threads > 0 ? threads : available()) {
    scratch_.resize(static_cast<std::size_t>(threads_));
  }

  int threads() const { return threads_; }

  /// Memory of one thread, valid until the same thread asks again.
  template <class T>
  T* scratch(int thread, Index count) {
    return scratch_[static_cast<std::size_t>(thread)].template get<T>(count);
  }

  /// Memory all threads share within one kernel, valid until the next kernel asks.
  template <class T>
  T* shared(Index count) {
    return shared_.get<T>(count);
  }

 private:
  static int available() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
  }

  int threads_;
  std::vector<Scratch> scratch_;
  Scratch shared_;
};

/// Runs body(i, thread) for every i in [0, count) on the context's threads, in no particular order.
/// What a body computes may depend on i alone, so that results do not depend on the number of threads.
/// The first exception is thrown again here, after all threads have stopped.
template <class Body>
void parallel_for(const Context& ctx, Index count, Body&& body) {
#ifdef _OPENMP
  std::exception_ptr error;
  // All threads, however few the pieces: GCC's OpenMP ends those that a smaller team does not take, with what libraries
  // keep for them, and starts them again for the next region. A team of one leaves them as they are.
#pragma omp parallel num_threads(count > 1 ? ctx.threads() : 1)
  {
    // Belongs to this region's task alone: a library called from the body (Eigen, oneDNN) stays on its
    // thread, whatever the process allows elsewhere.
    omp_set_num_threads(1);
    const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
    for (Index i = 0; i < count; ++i) {
      try {
        body(i, thread);
      } catch (...) {
#pragma omp critical(vjepa_parallel_for_error)
        if (!error) error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
#else
  for (Index i = 0; i < count; ++i) body(i, 0);
#endif
}

/// How many pieces of at most `most` things `count` of them make.
inline Index pieces(Index count, Index most) {
  return (count + most - 1) / most;
}

/// [begin, end) of chunk `i` when `count` things are cut into chunks of `chunk`.
struct Range {
  Index begin;
  Index end;
};

/// Runs body(range, chunk index, thread) over consecutive ranges of `chunk` things.
template <class Body>
void parallel_chunks(const Context& ctx, Index count, Index chunk, Body&& body) {
  parallel_for(ctx, pieces(count, chunk), [&](Index i, int thread) {
    body(Range{i * chunk, std::min(count, (i + 1) * chunk)}, i, thread);
  });
}

/// Rows of a matrix that make a piece of work worth a thread's while.
inline Index rows_per_chunk(Index cols) {
  return std::max<Index>(1, 16384 / std::max<Index>(1, cols));
}

}  // namespace vjepa::cpu
