#pragma once

// Finds races between the threads of a kernel: two touch a byte, one of them writes, and no barrier stands between.
// Other than compute-sanitizer's racecheck it looks at global memory too, also between blocks. The compiler, told
// -fsanitize=thread, calls a function at every access; race_check.cpp has these in the place of the sanitizer's own
// library, which knows nothing of warps and blocks. (Linux's KCSAN takes the calls over in the same way.)

#include <cstddef>
#include <cstdint>

namespace emulator {

/// Which thread, and how many barriers it has passed. A shuffle is none: it does not order memory.
struct Moment {
  std::uint64_t block : 26 = 0;  // among all that ever ran, from 1; 0: nobody
  std::uint64_t thread : 10 = 0;
  std::uint64_t barriers : 14 = 0;  // of the block; these two begin again when they are full
  std::uint64_t warp_barriers : 13 = 0;
  std::uint64_t copying : 1 = 0;  // by an asynchronous copy that the thread has not yet waited for
};

/// Of a thread that begins; `thread` below 1024. After 2^26 blocks, races between blocks are no longer seen.
inline Moment first_moment(std::uint64_t block, unsigned thread) {
  return {.block = block & 0x3ffffff, .thread = thread & 0x3ff};
}

struct RunningThread {
  Moment now;
  const char* stack;  // its own memory, which no other thread touches
  std::size_t stack_bytes;
};
inline const RunningThread* running_thread = nullptr;  // null while none runs

/// What blocks before this one did was done by other kernels.
void begin_kernel(std::uint64_t first_block);

/// From now on, accesses to this memory count.
void watch(const void* begin, std::size_t bytes);
void forget(const void* begin);

enum class Touch { read, write, copy_begins, copy_ends };

/// The thread that runs touches these bytes. The first race is kept for `race_found`.
void touch(const void* at, std::size_t bytes, Touch how);

/// What raced in the memory that is watched since this was asked last; null when nothing did.
const char* race_found();

}  // namespace emulator
