#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/linear.hpp"

namespace vjepa {

/// y = skip + proj(softmax(q kᵀ / sqrt(N / Heads)) v) with q, k, v from one product, the first half of a
/// transformer block (Vaswani et al., arXiv 1706.03762).
template <Index N, Index Heads>
struct SelfAttention {
  static_assert(Heads > 0 && N % Heads == 0,
                "vjepa::SelfAttention: the feature dimension must be a multiple of the number of heads");
  using Qkv = Linear<N, 3 * N>;
  using Proj = Linear<N, N>;

  template <class T>
  struct Params {
    typename Qkv::template Params<T> qkv;
    typename Proj::template Params<T> proj;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  /// `out` is how the weights of proj start.
  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor, Init out = Init::normal(weight_variance)) {
    Qkv::visit(p.qkv, visitor.scope("qkv"));
    Proj::visit(p.proj, visitor.scope("proj"), out);
  }

  template <Device D>
  struct Saved {
    Out<D, 3 * N> qkv;            // [rows, q | k | v], each of Heads x head dim
    Out<D, N> mixed;              // what proj takes
    View<Grad<D>, Dyn, Dyn> lse;  // [batch * Heads, tokens]; empty, it is not kept

    static Saved take(Arena<D>& arena, Sequences s) {
      Saved saved = take_for_inference(arena, s);
      saved.lse = arena.template take<Grad<D>, Dyn, Dyn>(s.batch * Heads, s.tokens);
      return saved;
    }
    static Saved take_for_inference(Arena<D>& arena, Sequences s) {
      return {
          arena.template take<Scalar<D>, Dyn, 3 * N>(s.rows()), arena.template take<Scalar<D>, Dyn, N>(s.rows()), {}};
    }
  };

  /// x, skip, y [s.rows(), N]; y may be skip.
  template <Device D>
  static void forward(Context<D>& ctx, const Params<const Scalar<D>>& p, Sequences s, In<D, N> x, In<D, N> skip,
                      Out<D, N> y, const Saved<D>& saved) {
    D::linear(ctx, x, p.qkv.weight, p.qkv.bias, saved.qkv);
    D::attention(ctx, shape(s), q(saved.qkv), k(saved.qkv), v(saved.qkv), saved.mixed, saved.lse);
    D::linear_residual(ctx, saved.mixed, p.proj.weight, p.proj.bias, skip, y);
  }

  /// Overwrites dx with the gradient of x (that of skip is dy), accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, N> x,
                       const Saved<D>& saved, In<D, N> dy, Out<D, N> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto dqkv = arena.template take<Scalar<D>, Dyn, 3 * N>(s.rows());
    const auto dmixed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    Proj::template backward<D>(ctx, p.proj, saved.mixed, dy, dmixed, g.proj);
    D::attention_backward(ctx, shape(s), q(saved.qkv), k(saved.qkv), v(saved.qkv), saved.mixed, saved.lse, dmixed,
                          q(dqkv), k(dqkv), v(dqkv));
    Qkv::template backward<D>(ctx, p.qkv, x, dqkv, dx, g.qkv);
  }

 private:
  static constexpr AttentionShape shape(Sequences s) {
    return {.batch = s.batch, .heads = Heads, .queries = s.tokens, .keys = s.tokens, .head_dim = N / Heads};
  }

  template <class T>
  static auto q(View<T, Dyn, 3 * N> qkv) {
    return qkv.template columns<N>(0);
  }
  template <class T>
  static auto k(View<T, Dyn, 3 * N> qkv) {
    return qkv.template columns<N>(N);
  }
  template <class T>
  static auto v(View<T, Dyn, 3 * N> qkv) {
    return qkv.template columns<N>(2 * N);
  }
};

}  // namespace vjepa
