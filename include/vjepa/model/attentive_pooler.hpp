#pragma once

#include <cstddef>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/block.hpp"
#include "vjepa/nn/cross_block.hpp"

namespace vjepa {

/// The shape of an attentive pooler that a type fixes; its depth is a run-time value.
struct PoolerDims {
  Index dim = 768;
  Index heads = 12;  // the official evaluation gives it as many as the encoder has
  Index hidden = 4 * dim;

  bool operator==(const PoolerDims&) const = default;
};

/// Many tokens to one (V-JEPA, arXiv 2404.08471, section 4): a learned query asks the tokens in a cross-attention
/// block, and depth - 1 further blocks follow on it alone.
template <PoolerDims S>
struct AttentivePooler {
  static_assert(S.dim > 0 && S.heads > 0 && S.hidden > 0, "vjepa::AttentivePooler: every dimension must be positive");
  static_assert(S.dim % S.heads == 0, "vjepa::AttentivePooler: dim must be a multiple of heads");

  static constexpr PoolerDims dims = S;
  static constexpr Index dim = S.dim;

  using Norm = LayerNorm<S.dim, 100'000>;
  using Ask = CrossBlock<S.dim, S.heads, S.hidden, Norm>;
  using Layer = Block<S.dim, S.heads, S.hidden, Norm>;

  Index depth = 1;

  template <class T>
  struct Params {
    View<T, 1, 1, S.dim> query_tokens;
    typename Ask::template Params<T> cross_attention_block;
    std::vector<typename Layer::template Params<T>> blocks;
  };

  template <class T>
  Params<T> params() const {
    Params<T> p;
    p.blocks.resize(static_cast<std::size_t>(depth - 1));
    return p;
  }

  template <class P, class Visitor>
  static void visit(P& p, Visitor visitor) {
    visitor.param("query_tokens", p.query_tokens, Init::normal(weight_variance));
    Ask::visit(p.cross_attention_block, visitor.scope("cross_attention_block"));
    for (std::size_t i = 0; i < p.blocks.size(); ++i) {
      const auto layer = static_cast<Index>(i);
      // The official evaluation leaves the pooler as its constructor made it, smaller by sqrt(2 layer).
      const double out_variance = weight_variance / (2.0 * static_cast<double>(layer + 2));
      Layer::visit(p.blocks[i], visitor.scope("blocks", layer), Init::normal(out_variance));
    }
  }

  template <Device D>
  struct Saved {
    Out<D, S.dim> queries;
    typename Ask::template Saved<D> ask;
    std::vector<typename Layer::template Saved<D>> blocks;
  };

  /// x [s.rows(), dim]; overwrites y [s.batch, dim]. What `saved` names lies in the arena until the backward pass, and
  /// x must stay as it is.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, S.dim> x,
                      Out<D, S.dim> y, Saved<D>& saved) {
    const Sequences one = single(s);
    saved.queries = repeated<D>(ctx, arena, p, one);
    saved.ask = Ask::template Saved<D>::take(arena, one, s);
    auto out = p.blocks.empty() ? y : arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    Ask::template forward<D>(ctx, arena, p.cross_attention_block, one, s, saved.queries, x, out, saved.ask);
    saved.blocks.clear();
    for (std::size_t i = 0; i < p.blocks.size(); ++i) {
      const auto in = out;
      out = i + 1 == p.blocks.size() ? y : arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
      saved.blocks.push_back(Layer::template Saved<D>::take(arena, one));
      Layer::template forward<D>(ctx, arena, p.blocks[i], one, in, out, saved.blocks.back());
    }
  }

  /// dy [s.batch, dim] is the gradient of y. Overwrites dx [s.rows(), dim], accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s,
                       const Saved<D>& saved, In<D, S.dim> dy, Out<D, S.dim> dx, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences one = single(s);
    const auto dout = arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    In<D, S.dim> next = dy;
    for (std::size_t i = p.blocks.size(); i-- > 0;) {
      Layer::template backward<D>(ctx, arena, p.blocks[i], one, saved.blocks[i], next, dout, g.blocks[i]);
      next = dout;
    }
    const auto dqueries = arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    Ask::template backward<D>(ctx, arena, p.cross_attention_block, one, s, saved.ask, next, dqueries, dx,
                              g.cross_attention_block);
    D::sum_tokens(ctx, Seq<const Scalar<D>>(dqueries.data(), one.batch, 1, S.dim), g.query_tokens.flat());
  }

  /// Forward pass that keeps nothing: overwrites y [s.batch, dim].
  template <Device D>
  static void infer(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, S.dim> x,
                    Out<D, S.dim> y) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences one = single(s);
    auto ask = Ask::template Saved<D>::take_for_inference(arena, one, s);
    Ask::template forward<D>(ctx, arena, p.cross_attention_block, one, s, repeated<D>(ctx, arena, p, one), x, y, ask);
    auto saved = Layer::template Saved<D>::take_for_inference(arena, one);
    for (const auto& block : p.blocks) Layer::template forward<D>(ctx, arena, block, one, y, y, saved);
  }

 private:
  static constexpr Sequences single(Sequences s) { return {.batch = s.batch, .tokens = 1}; }

  /// The query once for each clip, [one.batch, dim].
  template <Device D>
  static Out<D, S.dim> repeated(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences one) {
    const auto queries = arena.template take<Scalar<D>, Dyn, S.dim>(one.batch);
    D::fill_tokens(ctx, p.query_tokens.flat(), Seq<Scalar<D>>(queries.data(), one.batch, 1, S.dim));
    return queries;
  }
};

}  // namespace vjepa
