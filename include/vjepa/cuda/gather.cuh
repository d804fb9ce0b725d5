#pragma once

#include <cuda_runtime.h>

#include <cassert>

#include "vjepa/cuda/gather.hpp"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// A warp for each kept token: its box as [channel, frame, row, column], V pixels of one line at a time.
template <class S, int V>
__global__ void patchify_kernel(Clips<const S> clips, Tubelet box, TokenIndices idx, Mat<S> patches) {
  const Index token = global_warp_index();
  if (token >= patches.rows()) return;
  const Index channels = clips.extent(1);
  const Index frames = clips.extent(2);
  const Index height = clips.extent(3);
  const Index width = clips.extent(4);
  const Index across = width / box.width;
  const Index per_frame = height / box.height * across;
  const Index b = token / idx.cols();
  const Index i = idx(b, token % idx.cols());
  const Index t = i / per_frame * box.frames;
  const Index y = i % per_frame / across * box.height;
  const Index x = i % across * box.width;
  S* const out = patches.row(token);
  // Within a box 32 bits count everything, and divide faster.
  const auto box_frames = static_cast<int>(box.frames);
  const auto box_height = static_cast<int>(box.height);
  const auto box_width = static_cast<int>(box.width);
  const int size = static_cast<int>(channels) * box_frames * box_height * box_width;
  for (int j = lane_index() * V; j < size; j += warp_size * V) {
    const int line = j / box_width;
    const int dy = line % box_height;
    const int dt = line / box_height % box_frames;
    const int c = line / box_height / box_frames;
    const Index source = ((b * channels + c) * frames + t + dt) * height + y + dy;
    store(out + j, load<V>(clips.data() + source * width + x + j % box_width));
  }
}

// What becomes of V features of token i of clip b, from feature j on, which lie at `x`.

template <class S>
struct AddPositions {
  Mat<const float> table;
  TokenIndices idx;

  template <int V>
  __device__ Pack<S, V> at(Index b, Index i, Index j, const S* x) const {
    auto values = load<V>(x);
    const auto position = load<V>(table.row(idx(b, i)) + j);
    for (int v = 0; v < V; ++v) values[v] = S(static_cast<float>(values[v]) + position[v]);
    return values;
  }
};

template <class S>
struct GatherToken {
  Seq<const S> source;
  TokenIndices idx;

  template <int V>
  __device__ Pack<S, V> at(Index b, Index i, Index j, const S*) const {
    return load<V>(source.row(b) + idx(b, i) * source.cols() + j);
  }
};

template <class S>
struct CopyToken {
  Seq<const S> source;

  template <int V>
  __device__ Pack<S, V> at(Index b, Index i, Index j, const S*) const {
    return load<V>(source.row(b) + i * source.cols() + j);
  }
};

template <class S>
struct AddToken {
  Seq<const S> source;

  template <int V>
  __device__ Pack<S, V> at(Index b, Index i, Index j, const S* x) const {
    auto values = load<V>(x);
    const auto added = load<V>(source.row(b) + i * source.cols() + j);
    for (int v = 0; v < V; ++v) values[v] = S(static_cast<float>(values[v]) + static_cast<float>(added[v]));
    return values;
  }
};

template <class S>
struct FillToken {
  Vec<const S> token;

  template <int V>
  __device__ Pack<S, V> at(Index, Index, Index j, const S*) const {
    return load<V>(token.data() + j);
  }
};

/// A warp for each token of x.
template <class S, int V, class Change>
__global__ void each_token_kernel(Seq<S> x, Change change) {
  const Index token = global_warp_index();
  const Index tokens = x.extent(1);
  if (token >= x.rows() * tokens) return;
  const Index b = token / tokens;
  const Index i = token % tokens;
  S* const out = x.row(b) + i * x.cols();
  for (Index j = Index{lane_index()} * V; j < x.cols(); j += Index{warp_size} * V) {
    store(out + j, change.template at<V>(b, i, j, out + j));
  }
}

template <class S, class Change, class Source>
void each_token(Context& ctx, Seq<S> x, Change change, const Source& source) {
  with_packs<S>(
      [&]<int V>() { launch(ctx, warp_for_each(x.rows() * x.extent(1)), each_token_kernel<S, V, Change>, x, change); },
      x, source);
}

template <class S>
void Gather<S>::patchify(Context& ctx, Clips<const S> clips, Tubelet box, TokenIndices idx, Mat<S> patches) {
  assert(patches.cols() == clips.extent(1) * box.frames * box.height * box.width);
  // Lines of the box, and the lines they are cut from.
  const Mat<const S> lines(patches.data(), 1, box.width);
  const Mat<const S> whole_lines(clips.data(), 1, clips.extent(4));
  with_packs<S>(
      [&]<int V>() { launch(ctx, warp_for_each(patches.rows()), patchify_kernel<S, V>, clips, box, idx, patches); },
      patches, lines, whole_lines);
}

template <class S>
void Gather<S>::add_positions(Context& ctx, Mat<const float> table, TokenIndices idx, Seq<S> x) {
  each_token(ctx, x, AddPositions<S>{table, idx}, table);
}

template <class S>
void Gather<S>::gather_tokens(Context& ctx, Seq<const S> source, TokenIndices idx, Seq<S> x) {
  each_token(ctx, x, GatherToken<S>{source, idx}, source);
}

template <class S>
void Gather<S>::copy_tokens(Context& ctx, Seq<const S> source, Seq<S> x) {
  each_token(ctx, x, CopyToken<S>{source}, source);
}

template <class S>
void Gather<S>::add_tokens(Context& ctx, Seq<const S> source, Seq<S> x) {
  each_token(ctx, x, AddToken<S>{source}, source);
}

template <class S>
void Gather<S>::fill_tokens(Context& ctx, Vec<const S> token, Seq<S> x) {
  each_token(ctx, x, FillToken<S>{token}, token);
}

template <class S>
void Gather<S>::sum_tokens(Context& ctx, Seq<const S> source, Vec<float> dtoken) {
  add_column_sums(ctx, source, dtoken);
}

}  // namespace vjepa::cuda
