#pragma once

#include <cstdint>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
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

  AdamW(Context<D>& ctx, const ParamLayout& layout, Options options)
      : options_(options), decayed_(layout.decayed_size()), m_(ctx, layout.size()), v_(ctx, layout.size()) {}

  /// Updates `weights` from `gradients`, both laid out as the arena this was made for.
  void step(Context<D>& ctx, Vec<const Grad<D>> gradients, Vec<Grad<D>> weights, double lr, double weight_decay) {
    ++steps_;
    const Index rest = weights.size() - decayed_;
    update(ctx, gradients, weights, 0, decayed_, lr, weight_decay);
    update(ctx, gradients, weights, decayed_, rest, lr, 0);
  }

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  Array<D, Grad<D>>& first_moment() { return m_; }
  Array<D, Grad<D>>& second_moment() { return v_; }

 private:
  void update(Context<D>& ctx, Vec<const Grad<D>> gradients, Vec<Grad<D>> weights, Index begin, Index count, double lr,
              double weight_decay) {
    if (count == 0) return;
    const AdamWStep step{.lr = lr,
                         .weight_decay = weight_decay,
                         .beta1 = options_.beta1,
                         .beta2 = options_.beta2,
                         .eps = options_.eps,
                         .step = steps_};
    D::adamw(ctx, step, gradients.slice(begin, count), weights.slice(begin, count), m_.view().slice(begin, count),
             v_.view().slice(begin, count));
  }

  Options options_;
  Index decayed_;
  std::int64_t steps_ = 0;
  Array<D, Grad<D>> m_;
  Array<D, Grad<D>> v_;
};

}  // namespace vjepa
