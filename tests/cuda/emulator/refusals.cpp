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

/// One warp with 512 bytes of shared memory, on a stream of device 0 while another may be current.
template <class... Parameters, class... Arguments>
cudaError_t run(int current, void (*kernel)(Parameters...), Arguments... arguments) {
  static const cudaStream_t stream = stream_of(0);
  const cudaLaunchConfig_t config{.gridDim = 1, .blockDim = 32, .dynamicSmemBytes = 512, .stream = stream};
  cudaSetDevice(current);
  return cudaLaunchKernelEx(&config, kernel, arguments...);
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
  vjepa::cuda::copy_async(shared_values() + to, shared_values() + from, true);
  vjepa::cuda::commit_copies();
  vjepa::cuda::wait_copies<0>();
}
void store_word(int to) {
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

TEST_CASE("lanes of a warp wait for the same") {
  CHECK(run(0, synchronize_or_shuffle, 0u) == cudaSuccess);
  CHECK(run(0, synchronize_or_shuffle, 32u) == cudaSuccess);
  CHECK_THROWS_AS(run(0, synchronize_or_shuffle, 16u), std::logic_error);
}

TEST_CASE("a kernel begins on the device that is current") {
  CHECK(run(1, store_word, 8) == cudaErrorInvalidResourceHandle);
  CHECK(run(0, store_word, 8) == cudaSuccess);
}
