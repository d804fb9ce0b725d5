// The histories of bytes, and the calls that a compiler makes for -fsanitize=thread. Compiled without that option.
#include "race_check.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "cuda_runtime.h"

namespace emulator {

namespace {

/// Who touched a byte last. Of the readers, enough are kept to find one that races with any writer, if there is one.
struct ByteHistory {
  Moment writer;
  Moment reader;
  Moment reader_in_warp;    // the last one before `reader` that was another thread of the same warp,
  Moment reader_in_block;   // of another warp of the same block,
  Moment reader_elsewhere;  // of another block
};

struct Freed {
  void operator()(ByteHistory* bytes) const { std::free(bytes); }
};

struct Watched {
  std::uintptr_t begin;
  std::size_t bytes;
  std::unique_ptr<ByteHistory[], Freed> history;  // null until one is touched
};

std::map<std::uintptr_t, Watched> arrays;
Watched shared_memory{reinterpret_cast<std::uintptr_t>(vjepa::cuda::dynamic_shared_memory),
                      sizeof(vjepa::cuda::dynamic_shared_memory), nullptr};
std::uint64_t first_block_of_kernel = 0;
char message[160] = "";
bool found = false;

int warp_of(const Moment& m) {
  return static_cast<int>(m.thread) / warp_size;
}

/// Whether what was done at `before` may not yet be done, or not be seen, at `at`.
bool unordered(const Moment& before, const Moment& at, bool shared) {
  if (before.block == 0) return false;
  if (before.block != at.block) return !shared && before.block >= first_block_of_kernel;
  if (before.copying != 0) return true;
  if (before.thread == at.thread || before.barriers != at.barriers) return false;
  return warp_of(before) != warp_of(at) || before.warp_barriers == at.warp_barriers;
}

void read_by(ByteHistory& byte, const Moment& m) {
  if (byte.reader.block != m.block) {
    byte.reader_elsewhere = byte.reader;
  } else if (warp_of(byte.reader) != warp_of(m)) {
    byte.reader_in_block = byte.reader;
  } else if (byte.reader.thread != m.thread) {
    byte.reader_in_warp = byte.reader;
  }
  byte.reader = m;
}

void keep_race(const Moment& before, const char* did, const Moment& at, Touch how, std::size_t offset, bool shared) {
  found = true;
  std::snprintf(message, sizeof(message),
                "emulator: a race: thread %u of block %u %s byte %zu of %s, and thread %u of block %u %s it",
                static_cast<unsigned>(before.thread), static_cast<unsigned>(before.block - first_block_of_kernel), did,
                offset, shared ? "shared memory" : "an array", static_cast<unsigned>(at.thread),
                static_cast<unsigned>(at.block - first_block_of_kernel), how == Touch::read ? "reads" : "writes");
}

Watched* watched(std::uintptr_t address) {
  if (address - shared_memory.begin < shared_memory.bytes) return &shared_memory;
  if (arrays.empty() || address < arrays.begin()->first) return nullptr;
  Watched& piece = std::prev(arrays.upper_bound(address))->second;
  return address - piece.begin < piece.bytes ? &piece : nullptr;
}

/// Most accesses are to what is the thread's own.
inline bool others_may_see(const void* at) {
  const auto offset = [&](const void* begin) {
    return reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(begin);
  };
  return running_thread != nullptr && offset(running_thread->stack) >= running_thread->stack_bytes;
}

[[gnu::noinline]] void record(const void* at, std::size_t bytes, Touch how) {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  Watched* const found_piece = found ? nullptr : watched(address);
  if (found_piece == nullptr) return;
  Watched& piece = *found_piece;
  const Moment& now = running_thread->now;
  const std::size_t begin = address - piece.begin;
  const std::size_t end = std::min(begin + bytes, piece.bytes);
  if (!piece.history) {
    piece.history.reset(static_cast<ByteHistory*>(std::calloc(piece.bytes, sizeof(ByteHistory))));
    if (!piece.history) throw std::bad_alloc();
  }
  const bool shared = &piece == &shared_memory;
  for (std::size_t i = begin; i < end; ++i) {
    ByteHistory& byte = piece.history[i];
    if (how == Touch::copy_ends) {  // who touched it since it began was told so
      byte.writer = now;
      continue;
    }
    if (unordered(byte.writer, now, shared)) return keep_race(byte.writer, "writes", now, how, i, shared);
    if (how == Touch::read) {
      read_by(byte, now);
      continue;
    }
    for (const Moment& reader : {byte.reader, byte.reader_in_warp, byte.reader_in_block, byte.reader_elsewhere}) {
      if (unordered(reader, now, shared)) return keep_race(reader, "reads", now, how, i, shared);
    }
    byte.writer = now;
    byte.writer.copying = how == Touch::copy_begins ? 1 : 0;
  }
}

}  // namespace

void begin_kernel(std::uint64_t first_block) {
  first_block_of_kernel = first_block;
}

void watch(const void* begin, std::size_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  arrays[address] = {address, bytes, nullptr};
}
void forget(const void* begin) {
  arrays.erase(reinterpret_cast<std::uintptr_t>(begin));
}

void touch(const void* at, std::size_t bytes, Touch how) {
  if (others_may_see(at)) record(at, bytes, how);
}

const char* race_found() {
  return std::exchange(found, false) ? message : nullptr;
}

}  // namespace emulator

#ifdef VJEPA_RACE_CHECK
// Their names are the compiler's.
extern "C" {
#define VJEPA_ACCESS(function, bytes, how)                                               \
  void function(void* at) {                                                              \
    if (emulator::others_may_see(at)) emulator::record(at, bytes, emulator::Touch::how); \
  }
#define VJEPA_ACCESSES(bytes)                             \
  VJEPA_ACCESS(__tsan_read##bytes, bytes, read)           \
  VJEPA_ACCESS(__tsan_write##bytes, bytes, write)         \
  VJEPA_ACCESS(__tsan_unaligned_read##bytes, bytes, read) \
  VJEPA_ACCESS(__tsan_unaligned_write##bytes, bytes, write)
VJEPA_ACCESSES(1)
VJEPA_ACCESSES(2)
VJEPA_ACCESSES(4)
VJEPA_ACCESSES(8)
VJEPA_ACCESSES(16)
#undef VJEPA_ACCESSES
#undef VJEPA_ACCESS
void __tsan_read_range(void* at, std::size_t bytes) {
  emulator::touch(at, bytes, emulator::Touch::read);
}
void __tsan_write_range(void* at, std::size_t bytes) {
  emulator::touch(at, bytes, emulator::Touch::write);
}
char __tsan_atomic8_load(const volatile char* at, int) {  // of static locals, whether they are made
  return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}
#endif
