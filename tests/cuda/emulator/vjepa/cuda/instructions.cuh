#pragma once

// vjepa/cuda/instructions.cuh for a host compiler: the same functions, after the words of the PTX ISA on where each
// lane holds what.

#include <cuda_runtime.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

#include "vjepa/core/bf16.hpp"

namespace vjepa::cuda {

inline float half_of(std::uint32_t pair, int which) {
  return bf16::from_bits(static_cast<std::uint16_t>(pair >> (16 * which)));
}

inline std::uint32_t pair_of(float first, float second) {
  return bf16(first).bits | static_cast<std::uint32_t>(bf16(second).bits) << 16;
}

inline float exp2_approx(float power) {
  return std::exp2(power);
}

inline float reciprocal_approx(float x) {
  return 1.0f / x;
}

/// d [16, 8] += a [16, K] b [K, 8]; `operands` are those of the lane, a before b.
template <int K, std::size_t N>
void multiply_add_depth(float (&d)[4], const std::array<std::uint32_t, N>& operands) {
  constexpr int of_a = K / 4;  // operands
  static_assert(N == of_a + K / 8);
  emulator::Block& block = *emulator::Block::running();
  const int lane = block.lane();
  const auto sums = block.exchange(operands, [&](auto&& of_lane) {
    std::array<float, 4> sum{};
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + 8 * (e / 2);
      const int column = 2 * (lane % 4) + e % 2;
      for (int k = 0; k < K; ++k) {
        const auto holder = of_lane(row % 8 * 4 + k % 8 / 2);
        const auto other = of_lane(column * 4 + k % 8 / 2);
        const auto left = holder[static_cast<std::size_t>(row / 8 + 2 * (k / 8))];
        const auto right = other[static_cast<std::size_t>(of_a + k / 8)];
        sum[static_cast<std::size_t>(e)] += half_of(left, k % 2) * half_of(right, k % 2);
      }
    }
    return sum;
  });
  for (int e = 0; e < 4; ++e) d[e] += sums[static_cast<std::size_t>(e)];
}

inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  multiply_add_depth<16>(d, std::array{a[0], a[1], a[2], a[3], b0, b1});
}
inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[2], std::uint32_t b) {
  multiply_add_depth<8>(d, std::array{a[0], a[1], b});
}

inline float tf32_of(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

/// As tensor cores end a sum: towards zero.
inline float cut_off(double sum) {
  const auto nearest = static_cast<float>(sum);
  return std::abs(static_cast<double>(nearest)) > std::abs(sum) ? std::nextafter(nearest, 0.0f) : nearest;
}

inline void multiply_add(float (&d)[4], const float (&a)[4], float b0, float b1) {
  // What is no TF32 the hardware may take as it likes: it would be a mistake.
  for (const float operand : {a[0], a[1], a[2], a[3], b0, b1}) {
    if (std::isfinite(operand) && tf32_of(operand) != operand)
      throw std::logic_error("emulator: an operand is no TF32");
  }
  emulator::Block& block = *emulator::Block::running();
  const int lane = block.lane();
  const auto sums = block.exchange(std::array{a[0], a[1], a[2], a[3], b0, b1}, [&](auto&& of_lane) {
    std::array<double, 4> sum{};
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + 8 * (e / 2);
      const int column = 2 * (lane % 4) + e % 2;
      for (int k = 0; k < 8; ++k) {
        const auto left = of_lane(row % 8 * 4 + k % 4)[static_cast<std::size_t>(row / 8 + 2 * (k / 4))];
        const auto right = of_lane(column * 4 + k % 4)[static_cast<std::size_t>(4 + k / 4)];
        sum[static_cast<std::size_t>(e)] += static_cast<double>(left) * right;
      }
    }
    return sum;
  });
  for (int e = 0; e < 4; ++e) d[e] = cut_off(d[e] + sums[static_cast<std::size_t>(e)]);
}

template <int N>
void load_matrices(std::uint32_t (&m)[N], const bf16* row) {
  emulator::Block& block = *emulator::Block::running();
  const int lane = block.lane();
  if (lane < 8 * N) emulator::check_16_bytes(row);
  const auto loaded = block.exchange(row, [&](auto&& of_lane) {
    std::array<std::uint32_t, N> pairs{};
    for (int i = 0; i < N; ++i) {
      std::memcpy(&pairs[static_cast<std::size_t>(i)], of_lane(8 * i + lane / 4) + 2 * (lane % 4), 4);
    }
    return pairs;
  });
  for (int i = 0; i < N; ++i) m[i] = loaded[static_cast<std::size_t>(i)];
}

template <int N>
void load_matrices_transposed(std::uint32_t (&m)[N], const bf16* row) {
  emulator::Block& block = *emulator::Block::running();
  const int lane = block.lane();
  if (lane < 8 * N) emulator::check_16_bytes(row);
  const auto loaded = block.exchange(row, [&](auto&& of_lane) {
    std::array<std::uint32_t, N> pairs{};
    for (int i = 0; i < N; ++i) {
      const bf16 first = of_lane(8 * i + 2 * (lane % 4))[lane / 4];
      const bf16 second = of_lane(8 * i + 2 * (lane % 4) + 1)[lane / 4];
      pairs[static_cast<std::size_t>(i)] = pair_of(first, second);
    }
    return pairs;
  });
  for (int i = 0; i < N; ++i) m[i] = loaded[static_cast<std::size_t>(i)];
}

/// The copies that a thread has begun, by groups; none is done before the thread waits for it.
struct Copies {
  struct Copy {
    void* to;
    const void* from;
    bool there;
  };
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> closed;
  std::uint64_t block = 0;

  static Copies& of_thread() {
    static std::vector<Copies> of(1024);
    Copies& copies = of[threadIdx.x];
    const std::uint64_t block = emulator::Block::blocks();
    if (copies.block != block) copies = {.open = {}, .closed = {}, .block = block};
    return copies;
  }
};

inline void copy_async(void* shared, const void* global, bool there) {
  emulator::check_16_bytes(shared);
  emulator::check_16_bytes(global);
  emulator::touch(shared, 16, emulator::Touch::copy_begins);
  if (there) emulator::touch(global, 16, emulator::Touch::read);
  Copies::of_thread().open.push_back({shared, global, there});
}
inline void commit_copies() {
  Copies& copies = Copies::of_thread();
  copies.closed.push_back(std::exchange(copies.open, {}));
}
template <int newest>
void wait_copies() {
  for (auto& groups = Copies::of_thread().closed; groups.size() > newest; groups.pop_front()) {
    for (const auto& copy : groups.front()) {
      emulator::touch(copy.to, 16, emulator::Touch::copy_ends);
      if (copy.there) {
        std::memcpy(copy.to, copy.from, 16);
      } else {
        std::memset(copy.to, 0, 16);
      }
    }
  }
}

}  // namespace vjepa::cuda
