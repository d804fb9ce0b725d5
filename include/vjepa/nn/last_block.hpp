#pragma once

#include <cstddef>
#include <utility>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/nn/block.hpp"

namespace vjepa {

/// A Block of which only the last tokens of each sequence are read, as a predictor's last one, of whose outputs those
/// at the hidden tokens alone are its guesses. All tokens answer as keys and values, only those read ask, and
/// everything after attention is theirs alone: the same outputs and gradients with less work.
template <class B>
struct LastBlock;

template <Index N, Index Heads, Index Hidden, class Norm>
struct LastBlock<Block<N, Heads, Hidden, Norm>> {
  using Whole = Block<N, Heads, Hidden, Norm>;
  using Proj = typename Whole::Attn::Proj;
  using Ffn = typename Whole::Ffn;

  template <class T>
  using Params = typename Whole::template Params<T>;

  /// Inputs of both halves and what they keep. The outputs of the norms are computed again in the backward pass.
  template <Device D>
  struct Saved {
    In<D, N> x;
    Out<D, N> q;                  // [read, N]
    Out<D, 2 * N> kv;             // [rows, k | v]
    Out<D, N> mixed;              // what proj takes, [read, N]
    View<Grad<D>, Dyn, Dyn> lse;  // [batch * Heads, tokens read]
    Out<D, N> u;                  // [read, N]
    typename Norm::template Saved<D> norm1;
    typename Norm::template Saved<D> norm2;
    typename Ffn::template Saved<D> mlp;

    static Saved take(Arena<D>& arena, Sequences s, Sequences read) {
      return {.x = {},
              .q = arena.template take<Scalar<D>, Dyn, N>(read.rows()),
              .kv = arena.template take<Scalar<D>, Dyn, 2 * N>(s.rows()),
              .mixed = arena.template take<Scalar<D>, Dyn, N>(read.rows()),
              .lse = arena.template take<Grad<D>, Dyn, Dyn>(read.batch * Heads, read.tokens),
              .u = arena.template take<Scalar<D>, Dyn, N>(read.rows()),
              .norm1 = Norm::template Saved<D>::take(arena, s.rows()),
              .norm2 = Norm::template Saved<D>::take(arena, read.rows()),
              .mlp = Ffn::template Saved<D>::take(arena, read.rows())};
    }
  };

  /// x [s.rows(), N]; y [read.rows(), N] becomes the outputs of the last read.tokens tokens of each sequence. For a
  /// backward pass, x must stay as it is.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, Sequences read,
                      In<D, N> x, Out<D, N> y, Saved<D>& saved) {
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    const auto normed_read = arena.template take<Scalar<D>, Dyn, N>(read.rows());
    saved.x = x;
    Norm::template forward<D>(ctx, p.norm1, x, normed, saved.norm1);
    D::copy_tokens(ctx, last(sequences(In<D, N>(normed), s), read), sequences(normed_read, read));
    const auto [w, b] = parts(p.attn.qkv);
    D::linear(ctx, normed_read, w.q, b.q, saved.q);
    D::linear(ctx, normed, w.kv, b.kv, saved.kv);
    D::attention(ctx, shape(s, read), saved.q, k(saved.kv), v(saved.kv), saved.mixed, saved.lse);
    D::copy_tokens(ctx, last(sequences(x, s), read), sequences(saved.u, read));
    D::linear_residual(ctx, saved.mixed, p.attn.proj.weight, p.attn.proj.bias, saved.u, saved.u);
    Norm::template forward<D>(ctx, p.norm2, saved.u, normed_read, saved.norm2);
    Ffn::template forward<D>(ctx, arena, p.mlp, normed_read, saved.u, y, saved.mlp);
  }

  /// dy [read.rows(), N] is the gradient of y. Overwrites dx [s.rows(), N]; accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, Sequences read,
                       const Saved<D>& saved, In<D, N> dy, Out<D, N> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    const auto dnormed = arena.template take<Scalar<D>, Dyn, N>(s.rows());
    const auto normed_read = arena.template take<Scalar<D>, Dyn, N>(read.rows());
    const auto dnormed_read = arena.template take<Scalar<D>, Dyn, N>(read.rows());
    const auto du = arena.template take<Scalar<D>, Dyn, N>(read.rows());

    Norm::template forward<D>(ctx, p.norm2, saved.u, normed_read, {});
    Ffn::template backward<D>(ctx, arena, p.mlp, normed_read, saved.mlp, dy, dnormed_read, g.mlp);
    Norm::template backward<D>(ctx, p.norm2, saved.u, saved.norm2, dnormed_read, dy, du, g.norm2);

    Norm::template forward<D>(ctx, p.norm1, saved.x, normed, {});
    D::copy_tokens(ctx, last(sequences(In<D, N>(normed), s), read), sequences(normed_read, read));
    backward_attention<D>(ctx, arena, p, s, read, saved, normed, normed_read, du, dnormed, dnormed_read, g);
    D::add_tokens(ctx, sequences(In<D, N>(dnormed_read), read), last(sequences(dnormed, s), read));
    D::clear(ctx, dx.data(), sizeof(Scalar<D>) * static_cast<std::size_t>(dx.size()));
    D::copy_tokens(ctx, sequences(In<D, N>(du), read), last(sequences(dx, s), read));
    Norm::template backward<D>(ctx, p.norm1, saved.x, saved.norm1, dnormed, dx, dx, g.norm1);
  }

 private:
  /// Overwrites dx and dx_read, the gradients of x and x_read (that of what is added is dy).
  template <Device D>
  static void backward_attention(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s,
                                 Sequences read, const Saved<D>& saved, In<D, N> x, In<D, N> x_read, In<D, N> dy,
                                 Out<D, N> dx, Out<D, N> dx_read, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto dmixed = arena.template take<Scalar<D>, Dyn, N>(read.rows());
    const auto dq = arena.template take<Scalar<D>, Dyn, N>(read.rows());
    const auto dkv = arena.template take<Scalar<D>, Dyn, 2 * N>(s.rows());
    Proj::template backward<D>(ctx, p.attn.proj, saved.mixed, dy, dmixed, g.attn.proj);
    D::attention_backward(ctx, shape(s, read), saved.q, k(saved.kv), v(saved.kv), saved.mixed, saved.lse, dmixed, dq,
                          k(dkv), v(dkv));
    const auto [w, b] = parts(p.attn.qkv);
    const auto [dw, db] = parts(g.attn.qkv);
    D::linear_backward_weights(ctx, x_read, dq, dw.q, db.q);
    D::linear_backward_weights(ctx, x, dkv, dw.kv, db.kv);
    D::linear_backward_data(ctx, dq, w.q, dx_read);
    D::linear_backward_data(ctx, dkv, w.kv, dx);
  }

  /// Weights and biases of the one product that makes q, k and v, as those of two.
  template <class T>
  struct Parts {
    T q;
    T kv;
  };
  template <class Linear>
  static auto parts(const Linear& qkv) {
    const auto two = [](const auto& view) {
      return Parts<decltype(view.slice(0, N))>{view.slice(0, N), view.slice(N, 2 * N)};
    };
    return std::pair(two(qkv.weight), two(qkv.bias));
  }

  static constexpr AttentionShape shape(Sequences s, Sequences read) {
    return {.batch = s.batch, .heads = Heads, .queries = read.tokens, .keys = s.tokens, .head_dim = N / Heads};
  }

  template <class T>
  static View<T, Dyn, Dyn, N> sequences(View<T, Dyn, N> rows, Sequences s) {
    return View<T, Dyn, Dyn, N>(rows.data(), s.batch, s.tokens);
  }
  template <class T>
  static auto last(View<T, Dyn, Dyn, N> x, Sequences read) {
    return x.tokens(x.extent(1) - read.tokens, read.tokens);
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
