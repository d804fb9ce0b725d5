#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/nn/block.hpp"
#include "vjepa/nn/layer_norm.hpp"
#include "vjepa/nn/patch_embed.hpp"
#include "vjepa/nn/positions.hpp"

namespace vjepa {

/// The shape of a vision transformer.
struct VitDims {
  Index dim = 768;
  Index depth = 12;
  Index heads = 12;
  Index hidden = 4 * dim;  // of the MLP
  Index patch = 16;        // pixels, square
  Index tubelet = 2;       // frames a token spans; 0 for images, with a 2-D patch embedding
  Index channels = 3;

  bool operator==(const VitDims&) const = default;
};

/// A vision transformer over tubelets (V-JEPA, arXiv 2404.08471): patch embedding, fixed positions, blocks,
/// norm. Tokens that `idx` does not name are dropped before the embedding.
template <VitDims S>
struct ViT {
  static_assert(S.dim > 0 && S.depth > 0 && S.heads > 0 && S.hidden > 0 && S.patch > 0 && S.tubelet >= 0 &&
                    S.channels > 0,
                "vjepa::ViT: every dimension must be positive");
  static_assert(S.dim % S.heads == 0, "vjepa::ViT: dim must be a multiple of heads");

  static constexpr VitDims dims = S;
  static constexpr Index dim = S.dim;
  static constexpr bool is_video = S.tubelet > 0;

  using Embed = std::conditional_t<is_video, PatchEmbed3D<S.dim, S.channels, S.patch, (S.tubelet > 0 ? S.tubelet : 1)>,
                                   PatchEmbed2D<S.dim, S.channels, S.patch>>;
  using Layer = Block<S.dim, S.heads, S.hidden>;
  using Norm = LayerNorm<S.dim>;

  template <class T>
  struct Params {
    typename Embed::template Params<T> patch_embed;
    std::array<typename Layer::template Params<T>, static_cast<std::size_t>(S.depth)> blocks;
    typename Norm::template Params<T> norm;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    Embed::visit(p.patch_embed, visitor.scope("patch_embed"));
    Index i = 0;
    for (auto& block : p.blocks) {
      Layer::visit(block, visitor.scope("blocks", i), Init::normal(weight_variance).in_layer(i + 1));
      ++i;
    }
    Norm::visit(p.norm, visitor.scope("norm"));
  }

  /// Trainable values; the fixed positions are not among them.
  static constexpr Index param_count = count_params(ViT{});

  /// Tokens of a clip. Throws Error unless the clip divides into tubelets, or is one frame for a model of images.
  static TokenGrid grid(const ClipSize& clip) {
    const Index frames = Embed::tubelet.frames;
    if (clip.height <= 0 || clip.width <= 0 || clip.height % S.patch != 0 || clip.width % S.patch != 0) {
      fail("vjepa::ViT: a clip of ", clip.height, "x", clip.width, " pixels does not divide into patches of ", S.patch,
           "x", S.patch, "; choose a multiple of ", S.patch);
    }
    if (clip.frames <= 0 || clip.frames % frames != 0) {
      fail("vjepa::ViT: a clip of ", clip.frames, " frames does not divide into tubelets of ", frames,
           " frames; choose a multiple of ", frames);
    }
    if (!is_video && clip.frames != 1) fail("vjepa::ViT: a clip of ", clip.frames, " frames is no image, which has 1");
    return {.depth = clip.frames / frames, .height = clip.height / S.patch, .width = clip.width / S.patch};
  }

  /// The fixed positions of a model made for clips of size `made_for`, [grid(made_for).size(), dim].
  static std::vector<float> positions(const ClipSize& made_for, bool uniform_power) {
    const TokenGrid g = grid(made_for);
    if constexpr (is_video) {
      return sincos_positions_3d(S.dim, g, uniform_power);
    } else {
      return sincos_positions_2d(S.dim, g);
    }
  }

  /// The positions `table` of a model made for one size, for clips of another.
  static std::vector<float> resize_positions(const std::vector<float>& table, const ClipSize& made_for,
                                             const ClipSize& clip) {
    if constexpr (is_video) {
      return interpolate_positions_3d(table, S.dim, grid(made_for), grid(clip));
    } else {
      return interpolate_positions_2d(table, S.dim, grid(made_for), grid(clip));
    }
  }

  /// What the transformer reads.
  template <Device D>
  struct Input {
    Clips<const Scalar<D>> clips;               // [batch, channels, frames, height, width], normalised pixels
    TokenIndices idx;                           // [batch, kept]
    View<const Grad<D>, Dyn, S.dim> positions;  // one row for each token of the clip, kept or not

    Sequences sequences() const { return {.batch = idx.rows(), .tokens = idx.cols()}; }
  };

  template <Device D>
  struct Saved {
    /// Of the first so many blocks the input alone is kept, and what else their backward pass reads is computed again
    /// before it: memory for time (Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174). Set
    /// it before the forward pass; gradients are the same.
    Index recomputed_blocks = 0;
    Out<D, S.dim> embedded;
    std::vector<typename Layer::template Saved<D>> blocks;
    Out<D, S.dim> last;
    typename Norm::template Saved<D> norm;
  };

  /// Overwrites y [batch * kept, dim]. What `saved` names lies in the arena until the backward pass.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                      Out<D, S.dim> y, Saved<D>& saved) {
    const Sequences s = input.sequences();
    saved.embedded = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
    embed<D>(ctx, arena, p, input, saved.embedded);
    In<D, S.dim> x = saved.embedded;
    saved.blocks.clear();
    for (std::size_t i = 0; i < p.blocks.size(); ++i) {
      saved.last = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
      if (recomputes(saved, i)) {
        const typename Arena<D>::Scope scope(arena);
        auto gone = Layer::template Saved<D>::take(arena, s);
        Layer::template forward<D>(ctx, arena, p.blocks[i], s, x, saved.last, gone);
        saved.blocks.emplace_back().x = x;
      } else {
        saved.blocks.push_back(Layer::template Saved<D>::take(arena, s));
        Layer::template forward<D>(ctx, arena, p.blocks[i], s, x, saved.last, saved.blocks.back());
      }
      x = saved.last;
    }
    saved.norm = Norm::template Saved<D>::take(arena, s.rows());
    Norm::template forward<D>(ctx, p.norm, saved.last, y, saved.norm);
  }

  /// dy [batch * kept, dim] is the gradient of y. Accumulates into g; `input` is what forward was given.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                       const Saved<D>& saved, In<D, S.dim> dy, const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences s = input.sequences();
    const auto dx = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
    Norm::template backward<D>(ctx, p.norm, saved.last, saved.norm, dy, {}, dx, g.norm);
    for (std::size_t i = p.blocks.size(); i-- > 0;) {
      const typename Arena<D>::Scope block_scope(arena);
      auto block = saved.blocks[i];
      if (recomputes(saved, i)) {
        block = Layer::template Saved<D>::take(arena, s);
        const auto y = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
        Layer::template forward<D>(ctx, arena, p.blocks[i], s, saved.blocks[i].x, y, block);
      }
      Layer::template backward<D>(ctx, arena, p.blocks[i], s, block, dx, dx, g.blocks[i]);
    }
    Embed::template backward<D>(ctx, arena, input.clips, input.idx, dx, g.patch_embed);
  }

  /// Forward pass that keeps nothing: overwrites outs[i] with norm(output of block layers[i]), the official
  /// `out_layers`. `layers` counts from 0 and must increase.
  template <Device D>
  static void infer(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                    std::span<const Index> layers, std::span<const Out<D, S.dim>> outs) {
    const typename Arena<D>::Scope scope(arena);
    const Sequences s = input.sequences();
    const auto x = arena.template take<Scalar<D>, Dyn, S.dim>(s.rows());
    embed<D>(ctx, arena, p, input, x);
    auto saved = Layer::template Saved<D>::take_for_inference(arena, s);
    std::size_t next = 0;
    for (std::size_t i = 0; i < p.blocks.size() && next < layers.size(); ++i) {
      Layer::template forward<D>(ctx, arena, p.blocks[i], s, x, x, saved);
      if (layers[next] == static_cast<Index>(i)) Norm::template forward<D>(ctx, p.norm, x, outs[next++], {});
    }
    if (next < layers.size()) {
      fail("vjepa::ViT: out_layers asks for block ", layers[next], " of a model with blocks 0 to ", S.depth - 1,
           "; they are named once each, in increasing order");
    }
  }

  /// The output of the last block alone, normed: overwrites y [batch * kept, dim].
  template <Device D>
  static void infer(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                    Out<D, S.dim> y) {
    const Index last = S.depth - 1;
    infer<D>(ctx, arena, p, input, std::span<const Index>(&last, 1), std::span<const Out<D, S.dim>>(&y, 1));
  }

 private:
  template <Device D>
  static bool recomputes(const Saved<D>& saved, std::size_t block) {
    return static_cast<Index>(block) < saved.recomputed_blocks;
  }

  template <Device D>
  static void embed(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, const Input<D>& input,
                    Out<D, S.dim> x) {
    const Sequences s = input.sequences();
    Embed::template forward<D>(ctx, arena, p.patch_embed, input.clips, input.idx, x);
    D::add_positions(ctx, input.positions, input.idx, Seq<Scalar<D>>(x.data(), s.batch, s.tokens, S.dim));
  }
};

}  // namespace vjepa
