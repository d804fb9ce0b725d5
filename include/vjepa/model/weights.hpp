#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <future>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/core/random.hpp"

namespace vjepa {

/// Where initial weights are to differ from those of the official trainer.
struct InitOptions {
  double spread = 1;  // so many times as large
  /// The last weights of each half of a block are smaller by sqrt(2 layer). So the official models' constructors leave
  /// them; the official trainer (init_video_model) then draws all anew.
  bool rescale_blocks = false;
};

/// The initial values of a module's arena, gaps zero. `stream` keeps two modules of one run apart.
template <class T>
std::vector<T> initial_values(const ParamLayout& layout, std::uint64_t seed, std::uint64_t stream,
                              InitOptions options = {}) {
  std::vector<T> values(static_cast<std::size_t>(layout.size()), T(0));
  const std::vector<ParamInfo>& params = layout.params();
  const auto fill = [&](std::size_t index) {
    const ParamInfo& p = params[index];
    Random random({.seed = seed, .purpose = Purpose::init, .epoch = stream, .sample = index});
    const double share = options.rescale_blocks && p.init.layer > 0 ? 2.0 * static_cast<double>(p.init.layer) : 1;
    const double std = options.spread * std::sqrt(p.init.variance / share);
    for (Index i = 0; i < p.size; ++i) {
      double value = p.init.kind == Init::Kind::ones ? 1 : 0;
      if (p.init.kind == Init::Kind::normal) {
        do value = std * random.normal();
        while (std::abs(value) > 2);
      }
      values[static_cast<std::size_t>(p.offset + i)] = T(value);
    }
  };
  // Each parameter has random numbers of its own, so that threads may take them as they come: a large model has
  // hundreds of millions.
  std::atomic<std::size_t> next{0};
  const auto fill_the_next = [&] {
    for (std::size_t i = next++; i < params.size(); i = next++) fill(i);
  };
  std::vector<std::future<void>> others;
  try {
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) {
      others.push_back(std::async(std::launch::async, fill_the_next));
    }
  } catch (const std::system_error&) {
    // With fewer threads it takes longer, and that is all.
  }
  fill_the_next();
  for (auto& other : others) other.get();
  return values;
}

/// The weights of a module on a device: masters, which are trained, and what the passes read. Where both
/// have one type they are one array.
template <Device D, class M>
class Weights {
 public:
  using Master = Grad<D>;

  Weights(Context<D>& ctx, M module) : module_(std::move(module)), layout_(module_), master_(ctx, layout_.size()) {
    if constexpr (!shared) scalars_ = Array<D, Scalar<D>>(ctx, layout_.size());
  }

  const M& module() const { return module_; }
  const ParamLayout& layout() const { return layout_; }

  /// The trained values. Call `refresh` after changing them.
  Vec<Master> master() const { return master_.view(); }

  /// The trained values with what the passes read, for what changes both.
  WeightArena<Scalar<D>, Master> arena() const { return {master(), scalars_.view()}; }

  /// Brings what the passes read up to date with the masters.
  void refresh(Context<D>& ctx) {
    if constexpr (!shared) D::convert(ctx, master_.view(), scalars_.view());
  }

  /// The weights as the passes read them.
  ParamsOf<M, const Scalar<D>> params() const {
    if constexpr (shared) {
      return layout_.template bind<const Scalar<D>>(module_, master_.data());
    } else {
      return layout_.template bind<const Scalar<D>>(module_, scalars_.data());
    }
  }

  /// The parameters in an array of this layout, such as that of their gradients.
  ParamsOf<M, Master> bind(const Array<D, Master>& array) const {
    return layout_.template bind<Master>(module_, array.data());
  }

  void init(Context<D>& ctx, std::uint64_t seed, std::uint64_t stream, InitOptions options = {}) {
    upload(ctx, initial_values<Master>(layout_, seed, stream, options));
  }

  /// All values in the order of the layout, gaps included.
  void upload(Context<D>& ctx, const std::vector<Master>& values) {
    master_.upload(ctx, values);
    refresh(ctx);
  }
  std::vector<Master> download(Context<D>& ctx) const { return master_.download(ctx); }

 private:
  static constexpr bool shared = std::is_same_v<Scalar<D>, Grad<D>>;

  M module_;
  ParamLayout layout_;
  Array<D, Master> master_;
  Array<D, Scalar<D>> scalars_;
};

/// The weights of a module that is not trained any more: only what the passes read.
template <Device D, class M>
class FrozenWeights {
 public:
  FrozenWeights(Context<D>& ctx, M module)
      : module_(std::move(module)), layout_(module_), scalars_(ctx, layout_.size()) {}

  const ParamLayout& layout() const { return layout_; }

  ParamsOf<M, const Scalar<D>> params() const {
    return layout_.template bind<const Scalar<D>>(module_, scalars_.data());
  }

  /// All values in the order of the layout, gaps included, rounded to what the passes read.
  void upload(Context<D>& ctx, const std::vector<Grad<D>>& values) {
    if constexpr (std::is_same_v<Scalar<D>, Grad<D>>) {
      scalars_.upload(ctx, values);
    } else {
      scalars_.upload(ctx, std::vector<Scalar<D>>(values.begin(), values.end()));
    }
  }
  std::vector<Scalar<D>> download(Context<D>& ctx) const { return scalars_.download(ctx); }

 private:
  M module_;
  ParamLayout layout_;
  Array<D, Scalar<D>> scalars_;
};

}  // namespace vjepa
