#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/optim/adamw.hpp"

namespace vjepa {

/// A module with what training it takes: weights, gradients, AdamW's moments.
template <Device D, class M>
class Trainable {
 public:
  using T = Grad<D>;

  Trainable(Context<D>& ctx, M module, std::uint64_t seed, std::uint64_t stream)
      : weights_(ctx, std::move(module)),
        gradient_(ctx, weights_.layout().size()),
        norm_(ctx, 1),
        adamw_(ctx, weights_.layout(), {}) {
    weights_.init(ctx, seed, stream);
  }

  const M& module() const { return weights_.module(); }
  ParamsOf<M, const Scalar<D>> params() const { return weights_.params(); }
  ParamsOf<M, T> gradients() const { return weights_.layout().template bind<T>(module(), gradient_.data()); }
  void clear_gradients(Context<D>& ctx) { gradient_.clear(ctx); }

  /// One step of AdamW on gradients of a norm of `clip` at most. Returns the norm before clipping; the weights are
  /// untouched when it is not finite.
  double update(Context<D>& ctx, double lr, double weight_decay, double clip) {
    D::norm(ctx, gradient_.view(), norm_.view());
    const auto norm = static_cast<double>(norm_.download(ctx)[0]);
    if (!std::isfinite(norm)) return norm;
    adamw_.step(ctx, gradient_.view(), weights_.arena(), lr, weight_decay, {Vec<const T>(norm_.view()), clip});
    return norm;
  }

  /// Adds weights under `name` and moments under `moments` + "exp_avg." and "exp_avg_sq." + name.
  void save(Context<D>& ctx, const std::string& name, const std::string& moments, StateDict& state) {
    state.add_params(name, weights_.layout(), weights_.download(ctx));
    state.add_params(moments + "exp_avg." + name, weights_.layout(), adamw_.first_moment().download(ctx));
    state.add_params(moments + "exp_avg_sq." + name, weights_.layout(), adamw_.second_moment().download(ctx));
  }

  /// Reads what `save` added, after `steps` steps. Throws Error that says what does not fit.
  void load(Context<D>& ctx, const std::string& name, const std::string& moments, const Checkpoint& file,
            std::int64_t steps) {
    const auto values = read_params<T>(file, name, weights_.layout());
    const auto first = read_params<T>(file, moments + "exp_avg." + name, weights_.layout());
    const auto second = read_params<T>(file, moments + "exp_avg_sq." + name, weights_.layout());
    weights_.upload(ctx, values);
    adamw_.first_moment().upload(ctx, first);
    adamw_.second_moment().upload(ctx, second);
    adamw_.set_steps(steps);
  }

 private:
  Weights<D, M> weights_;
  Array<D, T> gradient_;
  Array<D, T> norm_;
  AdamW<D> adamw_;
};

}  // namespace vjepa
