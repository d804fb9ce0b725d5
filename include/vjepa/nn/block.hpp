#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/attention.hpp"
#include "vjepa/nn/layer_norm.hpp"
#include "vjepa/nn/mlp.hpp"

namespace vjepa {

/// A pre-norm transformer block (Dosovitskiy et al., arXiv 2010.11929):
///
///   u = x + attn(norm1(x))
///   y = u + mlp(norm2(u))
template <Index N, Index Heads, Index Hidden, class Norm = LayerNorm<N>>
struct Block {
  using Attn = SelfAttention<N, Heads>;
  using Ffn = Mlp<N, Hidden>;

  template <class T>
  struct Params {
    typename Norm::template Params<T> norm1;
    typename Attn::template Params<T> attn;
    typename Norm::template Params<T> norm2;
    typename Ffn::template Params<T> mlp;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  /// `out` is how the weights of the last product of each half start.
  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor, Init out = Init::normal(weight_variance)) {
    Norm::visit(p.norm1, visitor.scope("norm1"));
    Attn::visit(p.attn, visitor.scope("attn"), out);
    Norm::visit(p.norm2, visitor.scope("norm2"));
    Ffn::visit(p.mlp, visitor.scope("mlp"), out);
  }

  /// Inputs of both halves and what they keep. The outputs of the norms are computed again in the backward
  /// pass.
  template <Device D>
  struct Saved {
    In<D, N> x;
    Out<D, N> u;
    typename Norm::template Saved<D> norm1;
    typename Norm::template Saved<D> norm2;
    typename Attn::template Saved<D> attn;
    typename Ffn::template Saved<D> mlp;

    static Saved take(Arena<D>& arena, Sequences s) {
      return {.x = {},
              .u = arena.template take<Scalar<D>, Dyn, N>(s.rows()),
              .norm1 = Norm::template Saved<D>::take(arena, s.rows()),
              .norm2 = Norm::template Saved<D>::take(arena, s.rows()),
              .attn = Attn::template Saved<D>::take(arena, s),
              .mlp = Ffn::template Saved<D>::take(arena, s.rows())};
    }
    /// The least a forward pass needs that no backward pass follows.
    static Saved take_for_inference(Arena<D>& arena, Sequences s) {
      return {.x = {},
              .u = arena.template take<Scalar<D>, Dyn, N>(s.rows()),
              .norm1 = {},
              .norm2 = {},
              .attn = Attn::template Saved<D>::take_for_inference(arena, s),
              .mlp = {}};
    }
  };

  /// x, y [s.rows(), N]. For a backward pass, x must stay as it is; otherwise y may be x.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, N> x,
                      Out<D, N> y, Saved<D>& saved) {
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    saved.x = x;
    Norm::template forward<D>(ctx, p.norm1, x, normed, saved.norm1);
    Attn::template forward<D>(ctx, p.attn, s, normed, x, saved.u, saved.attn);
    Norm::template forward<D>(ctx, p.norm2, saved.u, normed, saved.norm2);
    Ffn::template forward<D>(ctx, arena, p.mlp, normed, saved.u, y, saved.mlp);
  }

  /// Overwrites dx, which may be dy; accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s,
                       const Saved<D>& saved, In<D, N> dy, Out<D, N> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    const auto dnormed = arena.template take<Scalar<D>, Dyn, N>(s.rows());

    Norm::template forward<D>(ctx, p.norm2, saved.u, normed, {});
    Ffn::template backward<D>(ctx, arena, p.mlp, normed, saved.mlp, dy, dnormed, g.mlp);
    Norm::template backward<D>(ctx, p.norm2, saved.u, saved.norm2, dnormed, dy, dx, g.norm2);

    Norm::template forward<D>(ctx, p.norm1, saved.x, normed, {});
    Attn::template backward<D>(ctx, arena, p.attn, s, normed, saved.attn, dx, dnormed, g.attn);
    Norm::template backward<D>(ctx, p.norm1, saved.x, saved.norm1, dnormed, dx, dx, g.norm1);
  }
};

}  // namespace vjepa
