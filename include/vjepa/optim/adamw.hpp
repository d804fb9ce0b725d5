#pragma once

#include <cstdint>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"

namespace vjepa {

/// AdamW over a flat arena (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019), with
/// the arithmetic of torch.optim.AdamW. Biases and one-dimensional parameters are not decayed.
template <Device D>
class AdamW {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
  };

  /// Throws Error when eps is not above 0.
  AdamW(Context<D>& ctx, const ParamLayout& layout, Options options)
      : options_(options), decayed_(layout.decayed_size()), m_(ctx, layout.size()), v_(ctx, layout.size()) {
    // Weights whose gradients are always 0 would become 0 / 0.
    if (!(options.eps > 0)) fail("vjepa::AdamW: eps is ", options.eps, "; it must be above 0");
  }

  /// Updates `weights` from `gradients`, clipped, and `average` from them; all are laid out as the arena this was made
  /// for.
  void step(Context<D>& ctx, Vec<const Grad<D>> gradients, const WeightArena<Scalar<D>, Grad<D>>& weights, double lr,
            double weight_decay, const Clipping<Grad<D>>& clipping = {},
            const MovingAverage<Scalar<D>, Grad<D>>& average = {}) {
    ++steps_;
    const auto update = [&](Index begin, Index count, double decay) {
      if (count == 0) return;
      const AdamWStep step{.lr = lr,
                           .weight_decay = decay,
                           .beta1 = options_.beta1,
                           .beta2 = options_.beta2,
                           .eps = options_.eps,
                           .step = steps_};
      D::adamw(ctx, step, clipping, gradients.slice(begin, count), weights.slice(begin, count),
               m_.view().slice(begin, count), v_.view().slice(begin, count),
               {average.weights.slice(begin, count), average.keep});
    };
    update(0, decayed_, weight_decay);
    update(decayed_, weights.master.size() - decayed_, 0);
  }

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  Array<D, Grad<D>>& first_moment() { return m_; }
  Array<D, Grad<D>>& second_moment() { return v_; }

 private:
  Options options_;
  Index decayed_;
  std::int64_t steps_ = 0;
  Array<D, Grad<D>> m_;
  Array<D, Grad<D>> v_;
};

}  // namespace vjepa
