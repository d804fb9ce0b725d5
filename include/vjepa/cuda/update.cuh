#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/sums.cuh"
#include "vjepa/cuda/update.hpp"

namespace vjepa::cuda {

/// Converts V values to S; a `to` that is null stays so.
template <class S, int V>
__device__ void store_copy(S* to, Index i, const Pack<float, V>& values) {
  if (to == nullptr) return;
  Pack<S, V> copy;
  for (int k = 0; k < V; ++k) copy[k] = S(values[k]);
  store(to + i * V, copy);
}

/// V weights from i V on with their moments, their average, and the copies of both. A `norm` or `average` that is null
/// is not there.
template <class S, int V>
struct AdamWUpdate {
  const float* gradient;
  float* weights;
  S* copy;
  float* m;
  float* v;
  float* average;
  S* average_copy;
  const float* norm;
  float most;
  float decay;
  float b1;  // 1 - beta1
  float b2;  // beta2
  float one_minus_b2;
  float size;  // lr / (1 - beta1^step)
  float root;  // sqrt(1 - beta2^step)
  float eps;
  float keep;
  float take;  // 1 - keep

  __device__ void operator()(Index i) const {
    const float factor = norm == nullptr ? 1.0f : fminf(1.0f, most / (*norm + 1e-6f));
    const auto g = load<V>(gradient + i * V);
    auto w = load<V>(weights + i * V);
    auto first = load<V>(m + i * V);
    auto second = load<V>(v + i * V);
    for (int k = 0; k < V; ++k) {
      const float clipped = factor * g[k];
      first[k] += b1 * (clipped - first[k]);
      second[k] = second[k] * b2 + one_minus_b2 * clipped * clipped;
      w[k] = w[k] * decay - size * first[k] / (sqrtf(second[k]) / root + eps);
    }
    store(weights + i * V, w);
    store(m + i * V, first);
    store(v + i * V, second);
    store_copy(copy, i, w);
    if (average == nullptr) return;
    auto mean = load<V>(average + i * V);
    for (int k = 0; k < V; ++k) mean[k] = mean[k] * keep + take * w[k];
    store(average + i * V, mean);
    store_copy(average_copy, i, mean);
  }
};

template <class S, int V>
struct ConvertUpdate {
  const float* from;
  S* to;

  __device__ void operator()(Index i) const { store_copy(to, i, load<V>(from + i * V)); }
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

/// Calls body(i) for each of `count` / V packs.
template <int V, class Body>
void for_each_pack(Context& ctx, Index count, Body body) {
  constexpr int threads = 256;
  constexpr Index most_blocks = Index{1} << 16;
  const Index packs = count / V;
  launch(ctx, {.blocks = std::min(most_blocks, (packs + threads - 1) / threads), .threads = threads},
         for_each_kernel<Body>, packs, body);
}

template <class S>
void Update<S>::adamw(Context& ctx, const AdamWStep& step, const Clipping<float>& clipping, Vec<const float> gradient,
                      const WeightArena<S, float>& weights, Vec<float> m, Vec<float> v,
                      const MovingAverage<S, float>& average) {
  const auto power = static_cast<double>(step.step);
  const auto narrow = [](double value) { return static_cast<float>(value); };
  const auto update = [&]<int V>() {
    for_each_pack<V>(ctx, weights.master.size(),
                     AdamWUpdate<S, V>{.gradient = gradient.data(),
                                       .weights = weights.master.data(),
                                       .copy = weights.copy.data(),
                                       .m = m.data(),
                                       .v = v.data(),
                                       .average = average.weights.master.data(),
                                       .average_copy = average.weights.copy.data(),
                                       .norm = clipping.norm.data(),
                                       .most = narrow(clipping.most),
                                       .decay = narrow(1 - step.lr * step.weight_decay),
                                       .b1 = narrow(1 - step.beta1),
                                       .b2 = narrow(step.beta2),
                                       .one_minus_b2 = narrow(1 - step.beta2),
                                       .size = narrow(step.lr / (1 - std::pow(step.beta1, power))),
                                       .root = narrow(std::sqrt(1 - std::pow(step.beta2, power))),
                                       .eps = narrow(step.eps),
                                       .keep = narrow(average.keep),
                                       .take = narrow(1 - average.keep)});
  };
  // Packs of S are longer than those of float, and a copy that is not there would not ask for whole ones.
  const Vec<const S> all(nullptr, weights.master.size());
  with_packs<S>(update, all, gradient, weights.master, m, v, weights.copy, average.weights.master,
                average.weights.copy);
}

template <class S>
void Update<S>::norm(Context& ctx, Vec<const float> x, Vec<float> result) {
  with_packs<float>([&]<int V>() { ordered_sum(ctx, x.size() / V, SquareTerm<V>{x.data()}, RootOfSum{result.data()}); },
                    x);
}

template <class S>
void Update<S>::convert(Context& ctx, Vec<const float> from, Vec<S> to) {
  with_packs<S>(
      [&]<int V>() {
        for_each_pack<V>(ctx, from.size(), ConvertUpdate<S, V>{from.data(), to.data()});
      },
      from, to);
}

}  // namespace vjepa::cuda
