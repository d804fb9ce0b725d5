#pragma once

#include <cuda_runtime.h>

#include "vjepa/cuda/instructions.cuh"

namespace vjepa::cuda {

/// The normal distribution at x: the share of it that is below, Phi(x), and its density phi(x). GELU is x Phi(x)
/// (Hendrycks and Gimpel, arXiv 1606.08415), its derivative Phi(x) + x phi(x).
struct NormalAt {
  float below;
  float density;
};

/// By erf with an absolute error of 1.5e-7 (Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26), as
/// the share beyond |x|, so that what is near 0 keeps its digits. It needs e^(-x^2 / 2), as the density does.
__device__ inline NormalAt normal_at(float x) {
  const float gauss = exp2_approx(x * x * -0.72134752f);
  const float t = reciprocal_approx(fabsf(x) * 0.23164189f + 1.0f);
  float p = 0.530702715f;
  p = p * t - 0.726576014f;
  p = p * t + 0.710706871f;
  p = p * t - 0.142248368f;
  p = p * t + 0.127414796f;
  const float beyond = p * t * gauss;
  return {x < 0 ? beyond : 1.0f - beyond, 0.39894228f * gauss};
}

}  // namespace vjepa::cuda
