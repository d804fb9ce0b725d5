#pragma once

#include <bit>
#include <cstdint>

#include "vjepa/core/host_device.hpp"

namespace vjepa {

/// bfloat16: the upper half of an IEEE float32 (8 exponent bits, 7 fraction bits). A storage type:
/// arithmetic happens in float, through the implicit conversions.
struct bf16 {
  std::uint16_t bits;

  bf16() = default;

  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  VJEPA_HOST_DEVICE constexpr bf16(float value) : bits(round(std::bit_cast<std::uint32_t>(value))) {}

  /// As the constructor, without an object in between: of those, compilers make no vector code.
  VJEPA_HOST_DEVICE constexpr bf16& operator=(float value) {
    bits = round(std::bit_cast<std::uint32_t>(value));
    return *this;
  }

  VJEPA_HOST_DEVICE constexpr operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }

  VJEPA_HOST_DEVICE static constexpr bf16 from_bits(std::uint16_t bits) {
    bf16 value{};
    value.bits = bits;
    return value;
  }

 private:
  // Branch-free, so that a loop over it becomes vector code.
  VJEPA_HOST_DEVICE static constexpr std::uint16_t round(std::uint32_t u) {
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t nearest = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : nearest);
  }
};

static_assert(sizeof(bf16) == 2);

}  // namespace vjepa
