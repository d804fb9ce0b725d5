#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// V weights from i V on, and their moments.
template <int V>
struct AdamWUpdate {
  const float* gradient;
  float* weights;
  float* m;
  float* v;
  float decay;
  float b1;  // 1 - beta1
  float b2;  // beta2
  float one_minus_b2;
  float size;  // lr / (1 - beta1^step)
  float root;  // sqrt(1 - beta2^step)
  float eps;

  __device__ void operator()(Index i) const {
    const auto g = load<V>(gradient + i * V);
    auto w = load<V>(weights + i * V);
    auto first = load<V>(m + i * V);
    auto second = load<V>(v + i * V);
    for (int k = 0; k < V; ++k) {
      first[k] += b1 * (g[k] - first[k]);
      second[k] = second[k] * b2 + one_minus_b2 * g[k] * g[k];
      w[k] = w[k] * decay - size * first[k] / (sqrtf(second[k]) / root + eps);
    }
    store(weights + i * V, w);
    store(m + i * V, first);
    store(v + i * V, second);
  }
};

template <int V>
struct EmaUpdate {
  const float* online;
  float* target;
  float keep;
  float take;

  __device__ void operator()(Index i) const {
    const auto from = load<V>(online + i * V);
    auto to = load<V>(target + i * V);
    for (int k = 0; k < V; ++k) to[k] = to[k] * keep + take * from[k];
    store(target + i * V, to);
  }
};

template <int V>
struct ClipUpdate {
  const float* norm;
  float most;
  float* x;

  __device__ void operator()(Index i) const {
    const float factor = fminf(1.0f, most / (*norm + 1e-6f));
    if (factor == 1.0f) return;
    auto values = load<V>(x + i * V);
    for (int k = 0; k < V; ++k) values[k] *= factor;
    store(x + i * V, values);
  }
};

template <class S, int V>
struct ConvertUpdate {
  const float* from;
  S* to;

  __device__ void operator()(Index i) const {
    const auto in = load<V>(from + i * V);
    Pack<S, V> out;
    for (int k = 0; k < V; ++k) out[k] = S(in[k]);
    store(to + i * V, out);
  }
};

template <int V>
struct SquareTerm {
  const float* x;

  __device__ double operator()(Index i) const {
    const auto values = load<V>(x + i * V);
    double sum = 0;
    for (int k = 0; k < V; ++k) sum += static_cast<double>(values[k]) * static_cast<double>(values[k]);
    return sum;
  }
};

/// to[0] = sqrt(sum)
struct RootOfSum {
  float* to;

  __device__ void operator()(double sum) const { *to = static_cast<float>(sqrt(sum)); }
};

template <class Body>
__global__ void for_each_kernel(Index count, Body body) {
  const auto threads = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) body(i);
}

template <class S>
struct Update {
  static void adamw(Context& ctx, const AdamWStep& step, Vec<const float> gradient, Vec<float> weights, Vec<float> m,
                    Vec<float> v) {
    const auto power = static_cast<double>(step.step);
    const auto narrow = [](double value) { return static_cast<float>(value); };
    with_packs<float>(
        [&]<int V>() {
          for_each<V>(ctx, weights.size(),
                      AdamWUpdate<V>{.gradient = gradient.data(),
                                     .weights = weights.data(),
                                     .m = m.data(),
                                     .v = v.data(),
                                     .decay = narrow(1 - step.lr * step.weight_decay),
                                     .b1 = narrow(1 - step.beta1),
                                     .b2 = narrow(step.beta2),
                                     .one_minus_b2 = narrow(1 - step.beta2),
                                     .size = narrow(step.lr / (1 - std::pow(step.beta1, power))),
                                     .root = narrow(std::sqrt(1 - std::pow(step.beta2, power))),
                                     .eps = narrow(step.eps)});
        },
        gradient, weights, m, v);
  }

  static void ema(Context& ctx, double momentum, Vec<const float> online, Vec<float> target) {
    with_packs<float>(
        [&]<int V>() {
          for_each<V>(ctx, target.size(),
                      EmaUpdate<V>{online.data(), target.data(), static_cast<float>(momentum),
                                   static_cast<float>(1 - momentum)});
        },
        online, target);
  }

  static void norm(Context& ctx, Vec<const float> x, Vec<float> result) {
    with_packs<float>(
        [&]<int V>() { ordered_sum(ctx, x.size() / V, SquareTerm<V>{x.data()}, RootOfSum{result.data()}); }, x);
  }

  static void clip(Context& ctx, Vec<const float> norm, double most, Vec<float> x) {
    with_packs<float>(
        [&]<int V>() {
          for_each<V>(ctx, x.size(), ClipUpdate<V>{norm.data(), static_cast<float>(most), x.data()});
        },
        x);
  }

  static void convert(Context& ctx, Vec<const float> from, Vec<S> to) {
    with_packs<S>(
        [&]<int V>() {
          for_each<V>(ctx, from.size(), ConvertUpdate<S, V>{from.data(), to.data()});
        },
        from, to);
  }

 private:
  /// Calls body(i) for each of `count` / V packs.
  template <int V, class Body>
  static void for_each(Context& ctx, Index count, Body body) {
    constexpr int threads = 256;
    constexpr Index most_blocks = Index{1} << 16;
    const Index packs = count / V;
    launch(ctx, {.blocks = std::min(most_blocks, (packs + threads - 1) / threads), .threads = threads},
           for_each_kernel<Body>, packs, body);
  }
};

}  // namespace vjepa::cuda
