#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/error.hpp"

namespace vjepa {

/// The element types that checkpoint files hold.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

inline constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

/// The name that the safetensors format uses.
inline constexpr std::string_view name_of(DType type) {
  switch (type) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::i16:
      return "I16";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::boolean:
      return "BOOL";
  }
  return "?";
}

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, bf16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DType::i64;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return DType::i16;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return DType::u8;
  else
    static_assert(sizeof(T) == 0, "vjepa::dtype_of: no file format holds this type");
}

/// IEEE binary16 to float, exactly.
inline float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float size = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign != 0 ? -size : size;
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

/// The IEEE binary16 nearest to a float, ties to even; too large becomes infinity.
inline std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (size >= 0x47800000u) return sign | 0x7c00u;  // 65536 and more
  std::uint32_t kept = 0;
  std::uint32_t lost = 0;    // what is cut off; 2^31 is half of the last place
  if (size < 0x38800000u) {  // below 2^-14 halves are multiples of 2^-24
    const std::uint32_t shift = 126u - (size >> 23);
    if (shift > 24u) return sign;
    const std::uint32_t fraction = (size & 0x7fffffu) | 0x800000u;
    kept = fraction >> shift;
    lost = fraction << (32u - shift);
  } else {
    kept = (size - 0x38000000u) >> 13;
    lost = size << 19;
  }
  if (lost > 0x80000000u || (lost == 0x80000000u && (kept & 1u) != 0)) ++kept;
  return static_cast<std::uint16_t>(sign | kept);
}

/// Reads `out.size()` values of type `from` that begin at `bytes`, at any alignment, converting each.
template <class T>
void convert_elements(DType from, const std::byte* bytes, std::span<T> out) {
  const auto each = [&]<class F>(F, auto&& value_of) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      F element;
      std::memcpy(&element, bytes + i * sizeof(F), sizeof(F));
      out[i] = static_cast<T>(value_of(element));
    }
  };
  const auto same = [](auto value) { return value; };
  switch (from) {
    case DType::f64:
      return each(double{}, same);
    case DType::f32:
      return each(float{}, same);
    case DType::f16:
      return each(std::uint16_t{}, half_to_float);
    case DType::bf16:
      return each(std::uint16_t{}, [](std::uint16_t b) { return float(bf16::from_bits(b)); });
    case DType::i64:
      return each(std::int64_t{}, same);
    case DType::i32:
      return each(std::int32_t{}, same);
    case DType::i16:
      return each(std::int16_t{}, same);
    case DType::i8:
      return each(std::int8_t{}, same);
    case DType::u8:
      return each(std::uint8_t{}, same);
    case DType::boolean:
      return each(std::uint8_t{}, [](std::uint8_t b) { return b != 0 ? 1 : 0; });
  }
}

}  // namespace vjepa
