#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/cross_attention.hpp"
#include "vjepa/nn/layer_norm.hpp"
#include "vjepa/nn/mlp.hpp"

namespace vjepa {

/// A transformer block whose tokens a ask tokens x (the official CrossAttentionBlock):
///
///   u = a + xattn(a, norm1(x))
///   y = u + mlp(norm2(u))
template <Index N, Index Heads, Index Hidden, class Norm = LayerNorm<N>>
struct CrossBlock {
  using Attn = CrossAttention<N, Heads>;
  using Ffn = Mlp<N, Hidden>;

  template <class T>
  struct Params {
    typename Norm::template Params<T> norm1;
    typename Attn::template Params<T> xattn;
    typename Norm::template Params<T> norm2;
    typename Ffn::template Params<T> mlp;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    Norm::visit(p.norm1, visitor.scope("norm1"));
    Attn::visit(p.xattn, visitor.scope("xattn"));
    Norm::visit(p.norm2, visitor.scope("norm2"));
    Ffn::visit(p.mlp, visitor.scope("mlp"), Init::normal(weight_variance / 2));
  }

  template <Device D>
  struct Saved {
    In<D, N> a;
    In<D, N> x;
    Out<D, N> u;
    typename Norm::template Saved<D> norm1;
    typename Norm::template Saved<D> norm2;
    typename Attn::template Saved<D> xattn;
    typename Ffn::template Saved<D> mlp;

    static Saved take(Arena<D>& arena, Sequences asking, Sequences answering) {
      return {.a = {},
              .x = {},
              .u = arena.template take<Scalar<D>, Dyn, N>(asking.rows()),
              .norm1 = Norm::template Saved<D>::take(arena, answering.rows()),
              .norm2 = Norm::template Saved<D>::take(arena, asking.rows()),
              .xattn = Attn::template Saved<D>::take(arena, asking, answering),
              .mlp = Ffn::template Saved<D>::take(arena, asking.rows())};
    }
    /// The least a forward pass needs that no backward pass follows.
    static Saved take_for_inference(Arena<D>& arena, Sequences asking, Sequences answering) {
      return {.a = {},
              .x = {},
              .u = arena.template take<Scalar<D>, Dyn, N>(asking.rows()),
              .norm1 = {},
              .norm2 = {},
              .xattn = Attn::template Saved<D>::take_for_inference(arena, asking, answering),
              .mlp = {}};
    }
  };

  /// a, y [asking.rows(), N], x [answering.rows(), N]. For a backward pass, a and x must stay as they are; otherwise
  /// y may be a.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences asking,
                      Sequences answering, In<D, N> a, In<D, N> x, Out<D, N> y, Saved<D>& saved) {
    const typename Arena<D>::Scope scope(arena);
    saved.a = a;
    saved.x = x;
    const auto normed_x = arena.template take<Scalar<D>, Dyn, N>(answering.rows());
    Norm::template forward<D>(ctx, p.norm1, x, normed_x, saved.norm1);
    Attn::template forward<D>(ctx, p.xattn, asking, answering, a, normed_x, a, saved.u, saved.xattn);
    const auto normed_u = arena.template take<Scalar<D>, Dyn, N>(asking.rows());
    Norm::template forward<D>(ctx, p.norm2, saved.u, normed_u, saved.norm2);
    Ffn::template forward<D>(ctx, arena, p.mlp, normed_u, saved.u, y, saved.mlp);
  }

  /// Overwrites da [asking.rows(), N] and dx [answering.rows(), N], accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences asking,
                       Sequences answering, const Saved<D>& saved, In<D, N> dy, Out<D, N> da, Out<D, N> dx,
                       const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto du = arena.template take<Scalar<D>, Dyn, N>(asking.rows());
    backward_ffn<D>(ctx, arena, p, saved, dy, du, g);

    const auto normed_x = arena.template take<Scalar<D>, Dyn, N>(answering.rows());
    Norm::template forward<D>(ctx, p.norm1, saved.x, normed_x, {});
    Attn::template backward<D>(ctx, arena, p.xattn, asking, answering, saved.a, normed_x, saved.xattn, du, da, dx,
                               g.xattn);
    Norm::template backward<D>(ctx, p.norm1, saved.x, saved.norm1, dx, {}, dx, g.norm1);
    D::add_tokens(ctx, Seq<const Scalar<D>>(du.data(), asking.batch, asking.tokens, N),
                  Seq<Scalar<D>>(da.data(), asking.batch, asking.tokens, N));
  }

 private:
  /// The second half: overwrites du.
  template <Device D>
  static void backward_ffn(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Saved<D>& saved,
                           In<D, N> dy, Out<D, N> du, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, N>(dy.rows());
    const auto dnormed = arena.template take<Scalar<D>, Dyn, N>(dy.rows());
    Norm::template forward<D>(ctx, p.norm2, saved.u, normed, {});
    Ffn::template backward<D>(ctx, arena, p.mlp, normed, saved.mlp, dy, dnormed, g.mlp);
    Norm::template backward<D>(ctx, p.norm2, saved.u, saved.norm2, dnormed, dy, du, g.norm2);
  }
};

}  // namespace vjepa
