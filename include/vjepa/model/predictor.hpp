#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/nn/block.hpp"
#include "vjepa/nn/last_block.hpp"
#include "vjepa/nn/layer_norm.hpp"
#include "vjepa/nn/linear.hpp"
#include "vjepa/nn/positions.hpp"

namespace vjepa {

/// The shape of a predictor that a type fixes; its depth is a run-time value.
struct PredictorDims {
  Index encoder_dim = 768;
  Index dim = 384;
  Index heads = 12;  // the official trainer gives it as many as the encoder has
  Index hidden = 4 * dim;

  bool operator==(const PredictorDims&) const = default;
};

/// The narrow transformer that guesses the features of hidden tokens (V-JEPA, arXiv 2404.08471, section 3):
/// it maps the context to its own width, appends one learned mask token a target, adds positions to both,
/// and maps the targets back to the encoder's width.
template <PredictorDims S>
struct Predictor {
  static_assert(S.encoder_dim > 0 && S.dim > 0 && S.heads > 0 && S.hidden > 0,
                "vjepa::Predictor: every dimension must be positive");
  static_assert(S.dim % S.heads == 0, "vjepa::Predictor: dim must be a multiple of heads");

  static constexpr PredictorDims dims = S;

  using EmbedIn = Linear<S.encoder_dim, S.dim>;
  using Layer = Block<S.dim, S.heads, S.hidden>;
  using LastLayer = LastBlock<Layer>;
  using Norm = LayerNorm<S.dim>;
  using ProjOut = Linear<S.dim, S.encoder_dim>;

  Index depth = 12;       // at least 1
  Index mask_tokens = 2;  // mask group i uses token i modulo this number
  bool zero_init_mask_tokens = true;

  template <class T>
  struct Params {
    typename EmbedIn::template Params<T> predictor_embed;
    std::vector<View<T, 1, 1, S.dim>> mask_tokens;
    std::vector<typename Layer::template Params<T>> predictor_blocks;
    typename Norm::template Params<T> predictor_norm;
    typename ProjOut::template Params<T> predictor_proj;
    Init mask_token_init;
  };

  template <class T>
  Params<T> params() const {
    Params<T> p;
    p.mask_tokens.resize(static_cast<std::size_t>(mask_tokens));
    p.predictor_blocks.resize(static_cast<std::size_t>(depth));
    p.mask_token_init = zero_init_mask_tokens ? Init::zeros() : Init::normal(weight_variance);
    return p;
  }

  template <class P, class Visitor>
  static void visit(P& p, Visitor visitor) {
    EmbedIn::visit(p.predictor_embed, visitor.scope("predictor_embed"));
    const auto tokens = visitor.scope("mask_tokens");
    for (std::size_t i = 0; i < p.mask_tokens.size(); ++i) {
      tokens.param(std::to_string(i), p.mask_tokens[i], p.mask_token_init);
    }
    for (std::size_t i = 0; i < p.predictor_blocks.size(); ++i) {
      const auto layer = static_cast<Index>(i);
      Layer::visit(p.predictor_blocks[i], visitor.scope("predictor_blocks", layer),
                   Init::normal(weight_variance).in_layer(layer + 1));
    }
    Norm::visit(p.predictor_norm, visitor.scope("predictor_norm"));
    ProjOut::visit(p.predictor_proj, visitor.scope("predictor_proj"));
  }

  /// The fixed positions of every token of a clip, [grid.size(), dim].
  static std::vector<float> positions(const TokenGrid& grid, bool is_video, bool uniform_power) {
    return is_video ? sincos_positions_3d(S.dim, grid, uniform_power) : sincos_positions_2d(S.dim, grid);
  }

  /// One mask group.
  template <Device D>
  struct Input {
    In<D, S.encoder_dim> context;               // [batch * kept, encoder_dim]
    TokenIndices context_idx;                   // [batch, kept]
    TokenIndices target_idx;                    // [batch, hidden]
    View<const Grad<D>, Dyn, S.dim> positions;  // one row for each token of the clip
    Index group = 0;

    Sequences sequences() const {
      return {.batch = context_idx.rows(), .tokens = context_idx.cols() + target_idx.cols()};
    }
    Sequences targets() const { return {.batch = target_idx.rows(), .tokens = target_idx.cols()}; }
  };

  template <Device D>
  struct Saved {
    std::vector<typename Layer::template Saved<D>> blocks;  // but the last
    typename LastLayer::template Saved<D> last;
    Out<D, S.dim> targets;
    typename Norm::template Saved<D> norm;
  };

  /// Overwrites y [batch * hidden, encoder_dim]. What `saved` names lies in the arena until the backward pass.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                      Out<D, S.encoder_dim> y, Saved<D>& saved) {
    const Sequences s = input.sequences();
    auto x = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
    assemble<D>(ctx, arena, p, input, sequence(x, s));
    saved.blocks.clear();
    for (std::size_t i = 0; i + 1 < p.predictor_blocks.size(); ++i) {
      const auto next = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
      saved.blocks.push_back(Layer::template Saved<D>::take(arena, s));
      Layer::template forward<D>(ctx, arena, p.predictor_blocks[i], s, x, next, saved.blocks.back());
      x = next;
    }

    const Sequences targets = input.targets();
    saved.targets = arena.template take<Scalar<D>, Dyn, S.dim>(targets.rows());
    saved.last = LastLayer::template Saved<D>::take(arena, s, targets);
    LastLayer::template forward<D>(ctx, arena, p.predictor_blocks.back(), s, targets, x, saved.targets, saved.last);
    saved.norm = Norm::template Saved<D>::take(arena, targets.rows());
    const typename Arena<D>::Scope scope(arena);
    const auto normed = arena.template take<Scalar<D>, Dyn, S.dim>(targets.rows());
    Norm::template forward<D>(ctx, p.predictor_norm, saved.targets, normed, saved.norm);
    ProjOut::template forward<D>(ctx, p.predictor_proj, normed, y);
  }

  /// dy [batch * hidden, encoder_dim] is the gradient of y. Overwrites dcontext [batch * kept, encoder_dim],
  /// accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                       const Saved<D>& saved, In<D, S.encoder_dim> dy, Out<D, S.encoder_dim> dcontext,
                       const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences s = input.sequences();
    const auto dx = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
    backward_targets<D>(ctx, arena, p, input, saved, dy, dx, g);
    for (std::size_t i = saved.blocks.size(); i-- > 0;) {
      Layer::template backward<D>(ctx, arena, p.predictor_blocks[i], s, saved.blocks[i], dx, dx, g.predictor_blocks[i]);
    }
    D::sum_tokens(ctx, targets_of(sequence(dx, s), input), g.mask_tokens[token_of(p, input)].flat());
    const auto dembedded = arena.template take<Scalar<D>, Dyn, S.dim>(input.context_idx.size());
    const Sequences context{.batch = s.batch, .tokens = input.context_idx.cols()};
    D::copy_tokens(ctx, sequence(dx, s).tokens(0, context.tokens), sequence(dembedded, context));
    EmbedIn::template backward<D>(ctx, p.predictor_embed, input.context, dembedded, dcontext, g.predictor_embed);
  }

 private:
  template <class T>
  static View<T, Dyn, Dyn, S.dim> sequence(View<T, Dyn, S.dim> rows, Sequences s) {
    return View<T, Dyn, Dyn, S.dim>(rows.data(), s.batch, s.tokens);
  }

  template <class T, Device D>
  static auto targets_of(View<T, Dyn, Dyn, S.dim> x, const Input<D>& input) {
    return x.tokens(input.context_idx.cols(), input.target_idx.cols());
  }

  template <class P, Device D>
  static std::size_t token_of(const P& p, const Input<D>& input) {
    return static_cast<std::size_t>(input.group) % p.mask_tokens.size();
  }

  /// x [batch, kept + hidden, dim] = embedded context, then mask tokens, both with their positions.
  template <Device D>
  static void assemble(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                       View<Scalar<D>, Dyn, Dyn, S.dim> x) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences context{.batch = x.rows(), .tokens = input.context_idx.cols()};
    const auto embedded = arena.template take<Scalar<D>, Dyn, S.dim>(context.rows());
    EmbedIn::template forward<D>(ctx, p.predictor_embed, input.context, embedded);
    const auto contexts = x.tokens(0, context.tokens);
    D::copy_tokens(ctx, sequence(embedded, context), contexts);
    D::add_positions(ctx, input.positions, input.context_idx, contexts);
    const auto targets = targets_of(x, input);
    D::fill_tokens(ctx, p.mask_tokens[token_of(p, input)].flat(), targets);
    D::add_positions(ctx, input.positions, input.target_idx, targets);
  }

  /// From the gradient of the guesses to that of the last block's input, dx.
  template <Device D>
  static void backward_targets(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p,
                               const Input<D>& input, const Saved<D>& saved, In<D, S.encoder_dim> dy, Out<D, S.dim> dx,
                               const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences targets = input.targets();
    const auto normed = arena.template take<Scalar<D>, Dyn, S.dim>(targets.rows());
    const auto dtargets = arena.template take<Scalar<D>, Dyn, S.dim>(targets.rows());
    Norm::template forward<D>(ctx, p.predictor_norm, saved.targets, normed, {});
    ProjOut::template backward<D>(ctx, p.predictor_proj, normed, dy, dtargets, g.predictor_proj);
    Norm::template backward<D>(ctx, p.predictor_norm, saved.targets, saved.norm, dtargets, {}, dtargets,
                               g.predictor_norm);
    LastLayer::template backward<D>(ctx, arena, p.predictor_blocks.back(), input.sequences(), targets, saved.last,
                                    dtargets, dx, g.predictor_blocks.back());
  }
};

}  // namespace vjepa
