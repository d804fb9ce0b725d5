#include "vjepa/core/bf16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("every bf16 survives the way through float") {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const bf16 value = bf16::from_bits(static_cast<std::uint16_t>(bits));
    const auto again = bf16(float(value));
    if (std::isnan(float(value))) {
      REQUIRE(std::isnan(float(again)));
    } else {
      REQUIRE(again.bits == value.bits);
    }
  }
}

TEST_CASE("rounding goes to the nearest value, ties to even") {
  CHECK(bf16(1.0f + 0x1p-8f).bits == bf16(1.0f).bits);              // a tie, to even
  CHECK(float(bf16(1.0f + 0x1p-8f + 0x1p-20f)) == 1.0f + 0x1p-7f);  // above a tie
  CHECK(float(bf16(1.0f + 3 * 0x1p-8f)) == 1.0f + 2 * 0x1p-7f);     // a tie, to even, upwards
  CHECK(float(bf16(-1.0f - 3 * 0x1p-8f)) == -1.0f - 2 * 0x1p-7f);
  CHECK(std::isinf(float(bf16(std::numeric_limits<float>::max()))));  // overflows, as IEEE rounding does
  CHECK(std::isinf(float(bf16(std::numeric_limits<float>::infinity()))));
  CHECK(std::isnan(float(bf16(std::bit_cast<float>(0x7f800001u)))));  // a NaN whose upper half looks infinite
}
