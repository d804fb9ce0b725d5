// What the emulator refuses, because a card would do something else or nothing.
#include <cstdint>
#include <stdexcept>

#include "catch.hpp"
#include "cuda_runtime.h"
#include "vjepa/core/bf16.hpp"
#include "vjepa/cuda/instructions.cuh"

using vjepa::bf16;

namespace {

cudaStream_t stream_of(int device) {
  cudaStream_t made = nullptr;
  cudaSetDevice(device);
  cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
  return made;
}

struct Grid {
  unsigned blocks = 1;
  unsigned threads = 32;
};

/// With 512 bytes of shared memory, on a stream of device 0 while another may be current.
template <class... Parameters, class... Arguments>
cudaError_t run_grid(Grid grid, int current, void (*kernel)(Parameters...), Arguments... arguments) {
  static const cudaStream_t stream = stream_of(0);
  const cudaLaunchConfig_t config{
      .gridDim = grid.blocks, .blockDim = grid.threads, .dynamicSmemBytes = 512, .stream = stream};
  cudaSetDevice(current);
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// One warp.
template <class... Parameters, class... Arguments>
cudaError_t run(int current, void (*kernel)(Parameters...), Arguments... arguments) {
  return run_grid({}, current, kernel, arguments...);
}

bf16* shared_values() {
  return reinterpret_cast<bf16*>(vjepa::cuda::dynamic_shared_memory);
}

void read_matrices(int first) {
  std::uint32_t m[2];
  vjepa::cuda::load_matrices(m, shared_values() + first + 8 * (threadIdx.x % 16));
}
void read_matrices_transposed(int first) {
  std::uint32_t m[2];
  vjepa::cuda::load_matrices_transposed(m, shared_values() + first + 8 * (threadIdx.x % 16));
}
void copy(int to, int from) {
  if (threadIdx.x > 0) return;
  vjepa::cuda::copy_async(shared_values() + to, shared_values() + from, true);
  vjepa::cuda::commit_copies();
  vjepa::cuda::wait_copies<0>();
}
void store_word(int to) {
  if (threadIdx.x > 0) return;
  __stwb(reinterpret_cast<uint4*>(shared_values() + to), {});
}

/// Both sides wait twice: a shuffle does.
void synchronize_or_shuffle(unsigned synchronized) {
  if (threadIdx.x < synchronized) {
    __syncwarp();
    __syncwarp();
  } else {
    __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  }
}

enum class Between { nothing, shuffle, warp_barrier, barrier };

void pass(Between between) {
  if (between == Between::shuffle) __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  if (between == Between::warp_barrier) __syncwarp();
  if (between == Between::barrier) __syncthreads();
}

/// Each thread writes a value that the next one reads, with `stride` threads to the next.
void write_then_read(Between between, unsigned stride) {
  bf16* const values = shared_values();
  values[threadIdx.x] = bf16(1.0f);
  pass(between);
  const bf16 other = values[threadIdx.x ^ stride];
  pass(Between::barrier);
  values[threadIdx.x] = other;
}

/// All read a value that one of them then writes.
void read_then_write(Between between, unsigned writer) {
  bf16* const values = shared_values();
  const bf16 read = values[100];
  pass(between);
  if (threadIdx.x == writer) values[100] = read;
}

/// One thread writes a value of the matrices that the warp then reads.
void write_then_read_matrices(Between between, bool transposed) {
  if (threadIdx.x == 9) shared_values()[21] = bf16(1.0f);
  pass(between);
  if (transposed) {
    read_matrices_transposed(0);
  } else {
    read_matrices(0);
  }
}

/// Each thread reads what it copied itself.
void copy_then_read(bool waits) {
  bf16* const to = shared_values() + 8 * threadIdx.x;
  vjepa::cuda::copy_async(to, to, false);
  vjepa::cuda::commit_copies();
  if (waits) vjepa::cuda::wait_copies<0>();
  to[0] = to[1];
  vjepa::cuda::wait_copies<0>();
}

/// One thread copies to what another has read, or is about to.
void copy_to_what_is_read(bool copies_first, Between between) {
  const auto copy = [] {
    if (threadIdx.x > 0) return;
    vjepa::cuda::copy_async(shared_values(), shared_values() + 8, false);
    vjepa::cuda::commit_copies();
  };
  bf16 read;
  if (copies_first) copy();
  if (copies_first) pass(between);
  if (threadIdx.x == 1) read = shared_values()[3];
  if (!copies_first) pass(between);
  if (!copies_first) copy();
  vjepa::cuda::wait_copies<0>();
  pass(Between::barrier);
  if (threadIdx.x == 1) shared_values()[1] = read;
}

/// A thread of each block writes to an array, the blocks `stride` values apart, and then reads where block 0 did.
void write_array(float* array, unsigned stride, bool reads) {
  if (threadIdx.x > 0) return;
  array[blockIdx.x * stride] = 1;
  if (reads) array[blockIdx.x * stride] = array[0];
}

}  // namespace

TEST_CASE("16 bytes are touched at multiples of them") {
  CHECK(run(0, read_matrices, 8) == cudaSuccess);
  CHECK_THROWS_AS(run(0, read_matrices, 4), std::logic_error);
  CHECK(run(0, read_matrices_transposed, 8) == cudaSuccess);
  CHECK_THROWS_AS(run(0, read_matrices_transposed, 4), std::logic_error);
  CHECK(run(0, copy, 8, 16) == cudaSuccess);
  CHECK_THROWS_AS(run(0, copy, 4, 16), std::logic_error);
  CHECK_THROWS_AS(run(0, copy, 8, 20), std::logic_error);
  CHECK(run(0, store_word, 8) == cudaSuccess);
  CHECK_THROWS_AS(run(0, store_word, 4), std::logic_error);
}

TEST_CASE("a race is an error") {
#ifndef VJEPA_RACE_CHECK
  VJEPA_SKIP("a sanitizer has the calls that the compiler makes at each access");
#endif
  const auto races = [](Grid grid, auto kernel, auto... arguments) {
    try {
      const cudaError_t result = run_grid(grid, 0, kernel, arguments...);
      CHECK(result == cudaSuccess);
      return false;
    } catch (const std::logic_error& error) {
      CHECK_THAT(error.what(), Contains("a race: thread "));
      return true;
    }
  };
  const Grid two_warps{.threads = 64};

  CHECK(races(two_warps, write_then_read, Between::nothing, 1u));
  CHECK(races(two_warps, write_then_read, Between::shuffle, 1u));
  CHECK_FALSE(races(two_warps, write_then_read, Between::warp_barrier, 1u));
  CHECK_FALSE(races(two_warps, write_then_read, Between::barrier, 1u));
  CHECK(races(two_warps, write_then_read, Between::warp_barrier, 32u));
  CHECK_FALSE(races(two_warps, write_then_read, Between::barrier, 32u));

  for (const unsigned writer : {0u, 31u, 32u, 63u}) {
    CHECK(races(two_warps, read_then_write, Between::nothing, writer));
    CHECK(races(two_warps, read_then_write, Between::warp_barrier, writer));
    CHECK_FALSE(races(two_warps, read_then_write, Between::barrier, writer));
    CHECK(races({}, read_then_write, Between::nothing, writer % 32));
    CHECK_FALSE(races({}, read_then_write, Between::warp_barrier, writer % 32));
  }

  for (const bool transposed : {false, true}) {
    CHECK(races({}, write_then_read_matrices, Between::nothing, transposed));
    CHECK_FALSE(races({}, write_then_read_matrices, Between::warp_barrier, transposed));
  }

  CHECK(races({}, copy_then_read, false));
  CHECK_FALSE(races({}, copy_then_read, true));
  for (const Between between : {Between::nothing, Between::barrier}) {
    CHECK(races({}, copy_to_what_is_read, true, between));  // it may be done or not
    CHECK(races({}, copy_to_what_is_read, false, between) == (between == Between::nothing));
  }

  cudaMemPool_t pool = nullptr;
  void* array = nullptr;
  cudaSetDevice(0);
  REQUIRE(cudaMemPoolCreate(&pool, nullptr) == cudaSuccess);
  REQUIRE(cudaMallocFromPoolAsync(&array, 1024, pool, nullptr) == cudaSuccess);
  const Grid two_blocks{.blocks = 2};
  CHECK_FALSE(races(two_blocks, write_array, static_cast<float*>(array), 1u, false));
  CHECK_FALSE(races(two_blocks, write_array, static_cast<float*>(array), 1u, false));  // another kernel
  CHECK(races(two_blocks, write_array, static_cast<float*>(array), 0u, false));
  CHECK(races(two_blocks, write_array, static_cast<float*>(array), 1u, true));
  cudaFreeAsync(array, nullptr);
  cudaMemPoolDestroy(pool);
}

TEST_CASE("lanes of a warp wait for the same") {
  CHECK(run(0, synchronize_or_shuffle, 0u) == cudaSuccess);
  CHECK(run(0, synchronize_or_shuffle, 32u) == cudaSuccess);
  CHECK_THROWS_AS(run(0, synchronize_or_shuffle, 16u), std::logic_error);
}

TEST_CASE("a kernel begins on the device that is current") {
  CHECK(run(1, store_word, 8) == cudaErrorInvalidResourceHandle);
  CHECK(run(0, store_word, 8) == cudaSuccess);
}
