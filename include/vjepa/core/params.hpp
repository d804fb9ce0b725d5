#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// How a parameter starts. `normal` is truncated to [-2, 2], as in the official code.
struct Init {
  enum class Kind { zeros, ones, normal };
  Kind kind = Kind::zeros;
  double variance = 0;
  Index layer = 0;      // of a block's last weights, counted from 1; 0 for others
  bool applied = true;  // false for one that no pass reads: it is kept as it started, without weight decay

  static constexpr Init zeros() { return {Kind::zeros, 0}; }
  static constexpr Init ones() { return {Kind::ones, 0}; }
  static constexpr Init normal(double variance) { return {Kind::normal, variance}; }
  constexpr Init in_layer(Index number) const { return {kind, variance, number, applied}; }
  constexpr Init unapplied() const { return {kind, variance, layer, false}; }
};

/// Every weight matrix starts with a standard deviation of 0.02.
inline constexpr double weight_variance = 0.02 * 0.02;

// A module names its parameters once. `Params<T>` is a struct of views; the module's static
//
//   template <class P, class Visitor> static constexpr void visit(P& params, Visitor visitor)
//
// calls `visitor.param("weight", params.weight, init)` for each and hands nested structs to the nested
// module with `visitor.scope("attn")`. From that one function come the memory layout, initialisation,
// weight decay, every checkpoint format and the parameter count. `module.template params<T>()` makes an
// unbound `Params<T>`, its views without memory but with every extent that only the module knows.
template <class M, class T>
using ParamsOf = decltype(std::declval<const M&>().template params<T>());

namespace detail {

struct ParamCounter {
  Index* count;

  constexpr ParamCounter scope(std::string_view) const { return *this; }
  constexpr ParamCounter scope(std::string_view, Index) const { return *this; }
  template <class T, Index... E>
  constexpr void param(std::string_view, const View<T, E...>& view, Init) const {
    *count += view.size();
  }
};

}  // namespace detail

/// Number of trainable values of a module.
template <class M>
constexpr Index count_params(const M& module) {
  Index count = 0;
  auto params = module.template params<float>();
  M::visit(params, detail::ParamCounter{&count});
  return count;
}

/// One parameter of a flat arena.
struct ParamInfo {
  std::string name;  // as in the official state dict, without "module.backbone."
  std::vector<Index> shape;
  Init init;
  Index size = 0;
  Index offset = 0;  // in elements from the start of the arena

  /// Weight decay spares biases, everything one-dimensional and what is never applied.
  bool decayed() const { return init.applied && shape.size() > 1 && name.find("bias") == std::string::npos; }
};

/// Where each parameter of a module lies in a flat arena: first those with weight decay, then the
/// others, so that an optimizer runs over two ranges. Each begins at a multiple of `alignment`
/// elements; the gaps hold zeros and stay zero.
class ParamLayout {
 public:
  static constexpr Index alignment = 32;

  template <class M>
  explicit ParamLayout(const M& module) {
    auto params = module.template params<float>();
    M::visit(params, Collector{&params_, {}});
    place(true);
    decayed_size_ = size_;
    place(false);
  }

  /// In the order of `visit`.
  const std::vector<ParamInfo>& params() const { return params_; }
  /// Elements of the arena, gaps included.
  Index size() const { return size_; }
  /// The first so many elements are decayed.
  Index decayed_size() const { return decayed_size_; }

  /// The parameters of `module` in the arena that begins at `base`.
  template <class T, class M>
  ParamsOf<M, T> bind(const M& module, T* base) const {
    auto params = module.template params<T>();
    std::size_t next = 0;
    M::visit(params, Binder<T>{this, base, &next});
    return params;
  }

 private:
  struct Collector {
    std::vector<ParamInfo>* params;
    std::string prefix;

    Collector scope(std::string_view name) const { return {params, prefix + std::string(name) + "."}; }
    Collector scope(std::string_view name, Index i) const {
      return {params, prefix + std::string(name) + "." + std::to_string(i) + "."};
    }
    template <class T, Index... E>
    void param(std::string_view name, const View<T, E...>& view, Init init) const {
      ParamInfo info{.name = prefix + std::string(name), .shape = {}, .init = init, .size = view.size()};
      for (int d = 0; d < view.rank; ++d) info.shape.push_back(view.extent(d));
      params->push_back(std::move(info));
    }
  };

  template <class T>
  struct Binder {
    const ParamLayout* layout;
    T* base;
    std::size_t* next;

    Binder scope(std::string_view) const { return *this; }
    Binder scope(std::string_view, Index) const { return *this; }
    template <Index... E>
    void param(std::string_view, View<T, E...>& view, Init) const {
      view = view.over(base + layout->params_[(*next)++].offset);
    }
  };

  void place(bool decayed) {
    for (ParamInfo& p : params_) {
      if (p.decayed() != decayed) continue;
      p.offset = size_;
      size_ = (size_ + p.size + alignment - 1) / alignment * alignment;
    }
  }

  std::vector<ParamInfo> params_;
  Index size_ = 0;
  Index decayed_size_ = 0;
};

}  // namespace vjepa
