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

  static void adamw(Context& ctx, const AdamWStep& step, Vec<const T> gradient, Vec<T> weights, Vec<T> m, Vec<T> v) {
    const T decay = T(1 - step.lr * step.weight_decay);
    const T b1 = T(1 - step.beta1);
    const T b2 = T(step.beta2);
    const T one_minus_b2 = T(1 - step.beta2);
    const auto power = static_cast<double>(step.step);
    const T size = T(step.lr / (1 - std::pow(step.beta1, power)));
    const T root = T(std::sqrt(1 - std::pow(step.beta2, power)));
    const T eps = T(step.eps);
    parallel_chunks(ctx, weights.size(), chunk, [&](Range r, Index, int) {
      const T* const g = gradient.data();
      T* const w = weights.data();
      T* const first = m.data();
      T* const second = v.data();
#pragma omp simd
      for (Index i = r.begin; i < r.end; ++i) {
        first[i] += b1 * (g[i] - first[i]);
        second[i] = second[i] * b2 + one_minus_b2 * g[i] * g[i];
        w[i] = w[i] * decay - size * first[i] / (std::sqrt(second[i]) / root + eps);
      }
    });
  }

  static void ema(Context& ctx, double momentum, Vec<const T> online, Vec<T> target) {
    const T keep = T(momentum);
    const T take = T(1 - momentum);
    parallel_chunks(ctx, target.size(), chunk, [&](Range r, Index, int) {
      const T* const from = online.data();
      T* const to = target.data();
#pragma omp simd
      for (Index i = r.begin; i < r.end; ++i) to[i] = to[i] * keep + take * from[i];
    });
  }

  static void norm(Context& ctx, Vec<const T> x, Vec<T> result) {
    const T* const data = x.data();
    result.data()[0] =
        T(std::sqrt(ordered_sum(ctx, x.size(), [&](Index i) { return static_cast<double>(data[i]) * data[i]; })));
  }

  static void clip(Context& ctx, Vec<const T> norm, double most, Vec<T> x) {
    const T factor = std::min(T(1), T(most) / (norm.data()[0] + T(1e-6)));
    if (factor == T(1)) return;
    parallel_chunks(ctx, x.size(), chunk, [&](Range r, Index, int) {
      for (Index i = r.begin; i < r.end; ++i) x.data()[i] *= factor;
    });
  }

  static void convert(Context& ctx, Vec<const T> from, Vec<S> to) {
    parallel_chunks(ctx, from.size(), chunk, [&](Range r, Index, int) {
      const T* const in = from.data();
      S* const out = to.data();
#pragma omp simd
      for (Index i = r.begin; i < r.end; ++i) out[i] = in[i];
    });
  }

 private:
  static constexpr Index chunk = 32768;
};

}  // namespace vjepa::cpu
