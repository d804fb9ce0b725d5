#pragma once

#include <algorithm>
#include <cmath>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/losses.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

template <class S>
struct Update {
  using T = Grad<S>;

  static void adamw(Context& ctx, const AdamWStep& step, const Clipping<T>& clipping, Vec<const T> gradient,
                    const WeightArena<S, T>& weights, Vec<T> m, Vec<T> v, const MovingAverage<S, T>& average) {
    const T factor = clipping.norm.empty() ? T(1) : std::min(T(1), T(clipping.most) / (clipping.norm(0) + T(1e-6)));
    const T decay = T(1 - step.lr * step.weight_decay);
    const T b1 = T(1 - step.beta1);
    const T b2 = T(step.beta2);
    const T one_minus_b2 = T(1 - step.beta2);
    const auto power = static_cast<double>(step.step);
    const T size = T(step.lr / (1 - std::pow(step.beta1, power)));
    const T root = T(std::sqrt(1 - std::pow(step.beta2, power)));
    const T eps = T(step.eps);
    const T keep = T(average.keep);
    const T take = T(1 - average.keep);
    // One loop after the other over a piece that stays in the cache.
    parallel_chunks(ctx, weights.master.size(), chunk, [&](Range r, Index, int) {
      const T* const g = gradient.data();
      T* const w = weights.master.data();
      T* const first = m.data();
      T* const second = v.data();
#pragma omp simd
      for (Index i = r.begin; i < r.end; ++i) {
        const T clipped = factor * g[i];
        first[i] += b1 * (clipped - first[i]);
        second[i] = second[i] * b2 + one_minus_b2 * clipped * clipped;
        w[i] = w[i] * decay - size * first[i] / (std::sqrt(second[i]) / root + eps);
      }
      copy_range(r, w, weights.copy.data());
      if (average.weights.empty()) return;
      T* const mean = average.weights.master.data();
#pragma omp simd
      for (Index i = r.begin; i < r.end; ++i) mean[i] = mean[i] * keep + take * w[i];
      copy_range(r, mean, average.weights.copy.data());
    });
  }

  static void norm(Context& ctx, Vec<const T> x, Vec<T> result) {
    const T* const data = x.data();
    result.data()[0] =
        T(std::sqrt(ordered_sum(ctx, x.size(), [&](Index i) { return static_cast<double>(data[i]) * data[i]; })));
  }

  static void convert(Context& ctx, Vec<const T> from, Vec<S> to) {
    parallel_chunks(ctx, from.size(), chunk, [&](Range r, Index, int) { copy_range(r, from.data(), to.data()); });
  }

 private:
  static constexpr Index chunk = 32768;

  /// A `to` that is null stays so.
  static void copy_range(Range r, const T* from, S* to) {
    if (to == nullptr) return;
#pragma omp simd
    for (Index i = r.begin; i < r.end; ++i) to[i] = from[i];
  }
};

}  // namespace vjepa::cpu
