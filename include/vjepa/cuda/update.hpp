#pragma once

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// Updates of flat arenas, each in one pass over them.
template <class S>
struct Update {
  static void adamw(Context& ctx, const AdamWStep& step, const Clipping<float>& clipping, Vec<const float> gradient,
                    const WeightArena<S, float>& weights, Vec<float> m, Vec<float> v,
                    const MovingAverage<S, float>& average);
  static void norm(Context& ctx, Vec<const float> x, Vec<float> result);
  static void convert(Context& ctx, Vec<const float> from, Vec<S> to);
};

}  // namespace vjepa::cuda
