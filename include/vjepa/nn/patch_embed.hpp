#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"

namespace vjepa {

/// Cuts a clip into boxes of pixels and maps each to one token: a convolution whose stride is its kernel,
/// computed as a product over the boxes that are kept, so that a dropped token costs nothing.
///
/// `Frames` is empty for images (a 2-D kernel) and the tubelet's length for video (a 3-D kernel); the
/// weights have the shape that torch.nn.Conv2d and Conv3d give them.
template <Index N, Index Channels, Index Patch, Index... Frames>
struct PatchEmbed {
  static_assert(sizeof...(Frames) <= 1, "vjepa::PatchEmbed: takes at most one number of frames");
  static constexpr Tubelet tubelet{.frames = (1 * ... * Frames), .height = Patch, .width = Patch};
  static constexpr Index box_size = Channels * tubelet.frames * Patch * Patch;

  template <class T>
  struct Params {
    View<T, N, Channels, Frames..., Patch, Patch> weight;
    View<T, N> bias;
  };

  template <class T>
  static constexpr Params<T> params() {
    return {};
  }

  template <class P, class Visitor>
  static constexpr void visit(P& p, Visitor visitor) {
    const auto proj = visitor.scope("proj");
    proj.param("weight", p.weight, Init::normal(weight_variance));
    proj.param("bias", p.bias, Init::zeros());
  }

  /// clips [batch, Channels, frames, height, width], idx [batch, kept] -> y [batch * kept, N]. Boxes are
  /// counted along width, then height, then time.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Clips<const Scalar<D>> clips,
                      TokenIndices idx, Out<D, N> y) {
    const typename Arena<D>::Scope scope(arena);
    D::linear(ctx, boxes<D>(ctx, arena, clips, idx), p.weight.as_matrix(), p.bias, y);
  }

  /// Accumulates into g. There is no gradient of the pixels: nothing below them learns.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, Clips<const Scalar<D>> clips, TokenIndices idx, In<D, N> dy,
                       const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    D::linear_backward_weights(ctx, boxes<D>(ctx, arena, clips, idx), dy, g.weight.as_matrix(), g.bias);
  }

 private:
  template <Device D>
  static Out<D, box_size> boxes(Context<D>& ctx, Arena<D>& arena, Clips<const Scalar<D>> clips, TokenIndices idx) {
    const auto patches = arena.template take<Scalar<D>, Dyn, box_size>(idx.size());
    D::patchify(ctx, clips, tubelet, idx, patches);
    return patches;
  }
};

template <Index N, Index Channels, Index Patch>
using PatchEmbed2D = PatchEmbed<N, Channels, Patch>;
template <Index N, Index Channels, Index Patch, Index Frames>
using PatchEmbed3D = PatchEmbed<N, Channels, Patch, Frames>;

}  // namespace vjepa
