#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "vjepa/core/bf16.hpp"

namespace vjepa::cpu {

/// What gradients, statistics and sums of a scalar type are held in.
template <class S>
struct GradOf {
  using type = float;
};
template <>
struct GradOf<double> {
  using type = double;
};
template <class S>
using Grad = typename GradOf<S>::type;

// Elementary functions without branches or calls, so that a loop over them becomes vector code. The
// double versions are the standard library's: they serve proofs, not speed.

inline double exp(double x) {
  return std::exp(x);
}

/// e^x with a relative error below 2e-7; arguments are clamped to where a float can hold the result.
inline float exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to the nearest integer.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.394858993e-03f;
  p = p * r + 8.375135274e-03f;
  p = p * r + 4.166621814e-02f;
  p = p * r + 1.666641540e-01f;
  p = p * r + 5.000000108e-01f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) << 23;  // the low bits of shifted are n
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + exponent);
}

/// e^x with a relative error below 1e-4, a twentieth of what rounding to bf16 adds, for x of at most 88: half the
/// work of exp.
inline float exp_coarse(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = x - n * 0.693147181f;
  float p = 1.656682252e-01f;
  p = p * r + 5.049642678e-01f;
  p = p * r + 1.000164252e+00f;
  p = p * r + 9.999280449e-01f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + exponent);
}

inline double erf(double x) {
  return std::erf(x);
}

/// erf(x) with an absolute error below 3e-7: a Chebyshev fit of erf(x) / x in x^2 on [0, 3.8], beyond
/// which erf is 1 to within 8e-8.
inline float erf(float x) {
  constexpr float edge = 3.8f;
  float t = x < -edge ? -edge : x;
  t = t > edge ? edge : t;
  const float u = t * t * (2.0f / (edge * edge)) - 1.0f;
  float p = -5.171063247e-04f;
  p = p * u + 1.237490255e-03f;
  p = p * u - 8.645352346e-04f;
  p = p * u + 1.667344476e-03f;
  p = p * u - 5.884428256e-03f;
  p = p * u + 1.083770543e-02f;
  p = p * u - 1.648229819e-02f;
  p = p * u + 2.613805033e-02f;
  p = p * u - 3.964629225e-02f;
  p = p * u + 5.523309287e-02f;
  p = p * u - 7.237772246e-02f;
  p = p * u + 9.080623698e-02f;
  p = p * u - 1.111973503e-01f;
  p = p * u + 1.377409865e-01f;
  p = p * u - 1.856409120e-01f;
  p = p * u + 3.721076074e-01f;
  return p * t;
}

/// erf(x) with an absolute error below 2.3e-5, a hundredth of what rounding to bf16 adds near 1: a fit of erf(x) / x in
/// x^2 on [0, 3], beyond which erf is 1 to within that. Half the work of erf.
inline float erf_coarse(float x) {
  constexpr float edge = 3.0f;
  float t = x < -edge ? -edge : x;
  t = t > edge ? edge : t;
  const float u = t * t * (2.0f / (edge * edge)) - 1.0f;
  float p = 7.100789808e-03f;
  p = p * u - 1.807984337e-02f;
  p = p * u + 2.372268029e-02f;
  p = p * u - 3.944696486e-02f;
  p = p * u + 7.229079306e-02f;
  p = p * u - 1.112461537e-01f;
  p = p * u + 1.575815827e-01f;
  p = p * u - 2.287197113e-01f;
  p = p * u + 4.701289535e-01f;
  const float inside = p * t;
  return x > edge ? 1.0f : x < -edge ? -1.0f : inside;
}

// As exact as what becomes of the result, which is stored in S.

template <class S>
Grad<S> exp_for(Grad<S> x) {
  if constexpr (std::is_same_v<S, bf16>) {
    return exp_coarse(x);
  } else {
    return exp(x);
  }
}

template <class S>
Grad<S> erf_for(Grad<S> x) {
  if constexpr (std::is_same_v<S, bf16>) {
    return erf_coarse(x);
  } else {
    return erf(x);
  }
}

// GELU is x Phi(x) (Hendrycks and Gimpel, arXiv 1606.08415), its derivative Phi(x) + x phi(x).

/// Phi(x), the share of the normal distribution that is below x.
template <class S>
Grad<S> normal_below(Grad<S> x) {
  using T = Grad<S>;
  return T(0.5) * (T(1) + erf_for<S>(x * T(0.70710678118654752440)));
}

/// phi(x), its density.
template <class S>
Grad<S> normal_density(Grad<S> x) {
  using T = Grad<S>;
  return T(0.39894228040143267794) * exp_for<S>(x * x * T(-0.5));
}

}  // namespace vjepa::cpu
