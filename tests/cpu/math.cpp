#include "vjepa/cpu/math.hpp"

#include <cmath>

#include "catch.hpp"

using namespace vjepa;

TEST_CASE("exp in float has the accuracy it states") {
  for (float x = -86.5f; x < 87.5f; x += 0.0137f) {
    const double exact = std::exp(static_cast<double>(x));
    REQUIRE(std::abs(cpu::exp(x) - exact) <= 2e-7 * exact);
  }
  CHECK(cpu::exp(-1000.0f) < 1e-37f);
  CHECK(std::isfinite(cpu::exp(1000.0f)));
}

TEST_CASE("coarse exp has the accuracy it states") {
  for (float x = -86.5f; x < 87.5f; x += 0.0137f) {
    const double exact = std::exp(static_cast<double>(x));
    REQUIRE(std::abs(cpu::exp_coarse(x) - exact) <= 1e-4 * exact);
  }
  CHECK(cpu::exp_coarse(-1000.0f) < 1e-37f);
}

TEST_CASE("erf in float has the accuracy it states") {
  for (float x = -6.0f; x < 6.0f; x += 0.00037f) {
    REQUIRE(std::abs(cpu::erf(x) - std::erf(static_cast<double>(x))) <= 3e-7);
  }
}

TEST_CASE("coarse erf has the accuracy it states") {
  for (float x = -6.0f; x < 6.0f; x += 0.00037f) {
    REQUIRE(std::abs(cpu::erf_coarse(x) - std::erf(static_cast<double>(x))) <= 2.3e-5);
  }
  // What is multiplied by a large number is to be nothing.
  CHECK(cpu::erf_coarse(100.0f) == 1);
  CHECK(cpu::normal_below<bf16>(-100.0f) == 0);
}

TEST_CASE("the normal distribution and its density are those of the definition") {
  for (float x = -8.0f; x < 8.0f; x += 0.0011f) {
    const auto exact = static_cast<double>(x);
    const double cdf = 0.5 * std::erfc(-exact / std::sqrt(2.0));
    const double pdf = std::exp(-exact * exact / 2) / std::sqrt(2 * 3.14159265358979323846);
    REQUIRE(std::abs(cpu::normal_below<float>(x) - cdf) <= 2e-7);
    REQUIRE(std::abs(cpu::normal_density<float>(x) - pdf) <= 1e-7);
    REQUIRE(std::abs(cpu::normal_below<bf16>(x) - cdf) <= 1.2e-5);
    REQUIRE(std::abs(cpu::normal_density<bf16>(x) - pdf) <= 4e-5);
    REQUIRE(cpu::normal_below<double>(exact) == Approx(cdf).margin(1e-15));
    REQUIRE(cpu::normal_density<double>(exact) == Approx(pdf).margin(1e-15));
  }
}
