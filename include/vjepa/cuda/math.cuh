#pragma once

#include <cuda_runtime.h>

namespace vjepa::cuda {

/// x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel, arXiv 1606.08415).
__device__ inline float gelu(float x) {
  return x * 0.5f * (1.0f + erff(x * 0.70710678f));
}

/// Phi(x) + x phi(x)
__device__ inline float gelu_derivative(float x) {
  const float phi = 0.39894228f * expf(-0.5f * x * x);
  return 0.5f * (1.0f + erff(x * 0.70710678f)) + x * phi;
}

}  // namespace vjepa::cuda
