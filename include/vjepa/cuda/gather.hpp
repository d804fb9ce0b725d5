#pragma once

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// Moving tokens: a warp for each.
template <class S>
struct Gather {
  static void patchify(Context& ctx, Clips<const S> clips, Tubelet box, TokenIndices idx, Mat<S> patches);
  static void add_positions(Context& ctx, Mat<const float> table, TokenIndices idx, Seq<S> x);
  static void gather_tokens(Context& ctx, Seq<const S> source, TokenIndices idx, Seq<S> x);
  static void copy_tokens(Context& ctx, Seq<const S> source, Seq<S> x);
  static void add_tokens(Context& ctx, Seq<const S> source, Seq<S> x);
  static void fill_tokens(Context& ctx, Vec<const S> token, Seq<S> x);
  static void sum_tokens(Context& ctx, Seq<const S> source, Vec<float> dtoken);
};

}  // namespace vjepa::cuda
