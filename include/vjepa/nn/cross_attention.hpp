#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/linear.hpp"

namespace vjepa {

/// y = skip + softmax(q(a) k(x)ᵀ / sqrt(N / Heads)) v(x): tokens a ask, tokens x answer. As in the official code,
/// no output product follows; its parameters `proj` are there all the same, so that official checkpoints fit.
template <Index N, Index Heads>
struct CrossAttention {
  static_assert(Heads > 0 && N % Heads == 0,
                "vjepa::CrossAttention: the feature dimension must be a multiple of the number of heads");
  using Q = Linear<N, N>;
  using Kv = Linear<N, 2 * N>;
  using Proj = Linear<N, N>;

  template <class T>
  struct Params {
    typename Q::template Params<T> q;
    typename Kv::template Params<T> kv;
    typename Proj::template Params<T> proj;  // never applied
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    Q::visit(p.q, visitor.scope("q"));
    Kv::visit(p.kv, visitor.scope("kv"));
    const auto proj = visitor.scope("proj");
    proj.param("weight", p.proj.weight, Init::normal(weight_variance / 2).unapplied());
    proj.param("bias", p.proj.bias, Init::zeros().unapplied());
  }

  template <Device D>
  struct Saved {
    Out<D, N> q;
    Out<D, 2 * N> kv;             // [rows of x, k | v]
    Out<D, N> mixed;              // what is added to skip
    View<Grad<D>, Dyn, Dyn> lse;  // [batch * Heads, asking]; empty, it is not kept

    static Saved take(Arena<D>& arena, Sequences asking, Sequences answering) {
      Saved saved = take_for_inference(arena, asking, answering);
      saved.lse = arena.template take<Grad<D>, Dyn, Dyn>(asking.batch * Heads, asking.tokens);
      return saved;
    }
    static Saved take_for_inference(Arena<D>& arena, Sequences asking, Sequences answering) {
      return {arena.template take<Scalar<D>, Dyn, N>(asking.rows()),
              arena.template take<Scalar<D>, Dyn, 2 * N>(answering.rows()),
              arena.template take<Scalar<D>, Dyn, N>(asking.rows()),
              {}};
    }
  };

  /// a, skip, y [asking.rows(), N], x [answering.rows(), N]; y must not be skip.
  template <Device D>
  static void forward(Context<D>& ctx, const Params<const Scalar<D>>& p, Sequences asking, Sequences answering,
                      In<D, N> a, In<D, N> x, In<D, N> skip, Out<D, N> y, const Saved<D>& saved) {
    Q::template forward<D>(ctx, p.q, a, saved.q);
    Kv::template forward<D>(ctx, p.kv, x, saved.kv);
    D::attention(ctx, shape(asking, answering), saved.q, k(saved.kv), v(saved.kv), saved.mixed, saved.lse);
    D::copy_tokens(ctx, sequence<const Scalar<D>>(skip, asking), sequence<Scalar<D>>(y, asking));
    D::add_tokens(ctx, sequence<const Scalar<D>>(saved.mixed, asking), sequence<Scalar<D>>(y, asking));
  }

  /// Overwrites da with the gradient of a (that of skip is dy) and dx, accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences asking,
                       Sequences answering, In<D, N> a, In<D, N> x, const Saved<D>& saved, In<D, N> dy, Out<D, N> da,
                       Out<D, N> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto dq = arena.template take<Scalar<D>, Dyn, N>(asking.rows());
    const auto dkv = arena.template take<Scalar<D>, Dyn, 2 * N>(answering.rows());
    D::attention_backward(ctx, shape(asking, answering), saved.q, k(saved.kv), v(saved.kv), saved.mixed, saved.lse, dy,
                          dq, k(dkv), v(dkv));
    Q::template backward<D>(ctx, p.q, a, dq, da, g.q);
    Kv::template backward<D>(ctx, p.kv, x, dkv, dx, g.kv);
  }

 private:
  static constexpr AttentionShape shape(Sequences asking, Sequences answering) {
    return {.batch = asking.batch,
            .heads = Heads,
            .queries = asking.tokens,
            .keys = answering.tokens,
            .head_dim = N / Heads};
  }

  template <class T>
  static Seq<T> sequence(View<T, Dyn, N> rows, Sequences s) {
    return Seq<T>(rows.data(), s.batch, s.tokens, N);
  }

  template <class T>
  static auto k(View<T, Dyn, 2 * N> kv) {
    return kv.template columns<N>(0);
  }
  template <class T>
  static auto v(View<T, Dyn, 2 * N> kv) {
    return kv.template columns<N>(N);
  }
};

}  // namespace vjepa
