#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>

#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cuda/launch.cuh"

namespace vjepa::cuda {

// A warp has one row of one head and meets the rows of the other side 32 at a time, which are called columns here: a
// lane has the score of one of them, and some features of every one. It reads what it needs where it lies, and sums are
// in shared memory, so that a head may have any size that this holds.
namespace plain {

inline constexpr int warps = 4;

/// The row of this warp.
struct Row {
  Index head;
  Index b;
  Index i;        // among those of the head
  Index columns;  // of the other side
  Index feature;  // the first of the head
  int dim;

  __device__ Row(const AttentionShape& shape, Index rows, Index columns_of_shape)
      : head(global_warp_index() / rows),
        b(head / shape.heads),
        i(global_warp_index() % rows),
        columns(columns_of_shape),
        feature(head % shape.heads * shape.head_dim),
        dim(static_cast<int>(shape.head_dim)) {}

  __device__ bool is_there(const AttentionShape& shape) const { return head < shape.batch * shape.heads; }
};

/// Calls body(d) for the first feature d of each pack of V that this lane has.
template <int V, class Body>
__device__ void for_each_pack(int dim, Body&& body) {
  for (int d = lane_index() * V; d < dim; d += warp_size * V) body(d);
}

/// a . b, in every lane.
template <int V, class S>
__device__ float dot(const S* a, const S* b, int dim) {
  float sum = 0;
  for_each_pack<V>(dim, [&](int d) {
    const auto x = load<V>(a + d);
    const auto y = load<V>(b + d);
    for (int v = 0; v < V; ++v) sum += static_cast<float>(x[v]) * static_cast<float>(y[v]);
  });
  return warp_sum(sum);
}

/// a . b of up to 32 rows b, that of row j in lane j; zero in lanes that have none.
template <int V, class S>
__device__ float dots(const S* a, const S* b, Index stride, int rows, int dim) {
  float own = 0;
  for (int j = 0; j < rows; ++j) {
    const float product = dot<V>(a, b + j * stride, dim);
    if (lane_index() == j) own = product;
  }
  return own;
}

/// Sums over rows with a factor each, of the features that a lane has.
template <int V>
class Sums {
 public:
  /// `floats` for the whole head, and then 32 more.
  __device__ Sums(float* floats, int dim) : sums_(floats), factors_(floats + dim), dim_(dim) {
    for_each_pack<V>(dim, [&](int d) {
      for (int v = 0; v < V; ++v) sums_[d + v] = 0;
    });
  }
  static constexpr Index floats(Index dim) { return dim + warp_size; }

  /// sums = shrink sums + sum over j < rows of (factor in lane j) row j
  template <class S>
  __device__ void add(float shrink, float factor, const S* from, Index stride, int rows) {
    factors_[lane_index()] = factor;
    __syncwarp();
    for_each_pack<V>(dim_, [&](int d) {
      float sum[V];
      for (int v = 0; v < V; ++v) sum[v] = shrink * sums_[d + v];
      for (int j = 0; j < rows; ++j) {
        const auto row = load<V>(from + j * stride + d);
        for (int v = 0; v < V; ++v) sum[v] += factors_[j] * static_cast<float>(row[v]);
      }
      for (int v = 0; v < V; ++v) sums_[d + v] = sum[v];
    });
    __syncwarp();
  }

  /// to = scale sums
  template <class S>
  __device__ void store_to(float scale, S* to) const {
    for_each_pack<V>(dim_, [&](int d) {
      Pack<S, V> pack;
      for (int v = 0; v < V; ++v) pack[v] = S(scale * sums_[d + v]);
      store(to + d, pack);
    });
  }

 private:
  float* sums_;
  float* factors_;
  int dim_;
};

template <class S, int V>
__global__ void forward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                               Mat<float> lse) {
  const Row row(shape, shape.queries, shape.keys);
  if (!row.is_there(shape)) return;
  const float scale = 1.0f / sqrtf(static_cast<float>(row.dim));
  const S* const query = q.row(row.b * shape.queries + row.i) + row.feature;
  Sums<V> mixed(dynamic_shared<float>() + warp_index() * Sums<V>::floats(row.dim), row.dim);
  float largest = -INFINITY;
  float sum = 0;
  for (Index begin = 0; begin < row.columns; begin += warp_size) {
    const auto count = static_cast<int>(min(row.columns - begin, Index{warp_size}));
    const Index first = row.b * row.columns + begin;
    const float product = dots<V>(query, k.row(first) + row.feature, k.stride(), count, row.dim);
    const float score = lane_index() < count ? scale * product : -INFINITY;
    const float larger = fmaxf(largest, warp_max(score));
    const float shrink = expf(largest - larger);
    const float weight = expf(score - larger);
    largest = larger;
    sum = sum * shrink + warp_sum(weight);
    mixed.add(shrink, weight, v.row(first) + row.feature, v.stride(), count);
  }
  mixed.store_to(1.0f / sum, out.row(row.b * shape.queries + row.i) + row.feature);
  if (!lse.empty() && lane_index() == 0) lse(row.head, row.i) = largest + logf(sum);
}

/// The gradients of queries, or, with `for_keys`, where rows are keys and columns queries, of keys and values.
/// `delta` is dout . out of each query, the sum over keys of p times its gradient; the kernel of queries writes it,
/// that of keys reads it.
template <class S, int V, bool for_keys>
__global__ void backward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<const S> out,
                                Mat<const float> lse, Mat<float> delta, Mat<const S> dout, Mat<S> dq, Mat<S> dk,
                                Mat<S> dv) {
  const Index rows = for_keys ? shape.keys : shape.queries;
  const Row row(shape, rows, for_keys ? shape.queries : shape.keys);
  if (!row.is_there(shape)) return;
  const float scale = 1.0f / sqrtf(static_cast<float>(row.dim));
  const Index place = row.b * rows + row.i;
  // What scores are products of, and what their gradients are.
  const S* const row_scores = (for_keys ? k : q).row(place) + row.feature;
  const S* const row_gradients = (for_keys ? v : dout).row(place) + row.feature;
  const auto& column_scores = for_keys ? q : k;
  const auto& column_gradients = for_keys ? dout : v;
  constexpr int sums = for_keys ? 2 : 1;
  float* const floats = dynamic_shared<float>() + warp_index() * sums * Sums<V>::floats(row.dim);
  Sums<V> from_scores(floats, row.dim);
  Sums<V> from_values(floats + (sums - 1) * Sums<V>::floats(row.dim), row.dim);  // of keys alone
  float row_delta = 0;
  if (!for_keys) {
    row_delta = dot<V>(out.row(place) + row.feature, row_gradients, row.dim);
    if (lane_index() == 0) delta(row.head, row.i) = row_delta;
  }
  for (Index begin = 0; begin < row.columns; begin += warp_size) {
    const auto count = static_cast<int>(min(row.columns - begin, Index{warp_size}));
    const Index first = row.b * row.columns + begin;
    const S* const scored = column_scores.row(first) + row.feature;
    const S* const valued = column_gradients.row(first) + row.feature;
    const float product = dots<V>(row_scores, scored, column_scores.stride(), count, row.dim);
    const float dp = dots<V>(row_gradients, valued, column_gradients.stride(), count, row.dim);
    float p = 0;
    float ds = 0;
    if (lane_index() < count) {
      const Index query = for_keys ? begin + lane_index() : row.i;
      p = expf(scale * product - lse(row.head, query));
      ds = p * (dp - (for_keys ? delta(row.head, query) : row_delta));
    }
    from_scores.add(1.0f, ds, scored, column_scores.stride(), count);
    if (for_keys) from_values.add(1.0f, p, valued, column_gradients.stride(), count);
  }
  from_scores.store_to(scale, (for_keys ? dk : dq).row(place) + row.feature);
  if (for_keys) from_values.store_to(1.0f, dv.row(place) + row.feature);
}

/// A warp for each of `rows` of each head, with `sums` over columns. Throws Error when the GPU has no memory for them.
inline Grid grid(const Context& ctx, const AttentionShape& shape, Index rows, Index sums) {
  Grid grid = warp_for_each(shape.batch * shape.heads * rows, warps);
  grid.shared = sizeof(float) * static_cast<std::size_t>(warps * sums * Sums<1>::floats(shape.head_dim));
  if (grid.shared > ctx.most_shared_bytes()) {
    fail("vjepa::Cuda: attention with heads of ", shape.head_dim, " features takes ", grid.shared,
         " bytes of shared memory, and this GPU has ", ctx.most_shared_bytes(), ": use more heads");
  }
  return grid;
}

}  // namespace plain

/// Attention in float32 arithmetic, for heads of any size, up to some thousand features, in any memory. Scores are
/// never stored.
template <class S>
struct PlainAttention {
  static void forward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                      Mat<float> lse) {
    with_packs_of_heads(
        shape,
        [&]<int V>() {
          launch(ctx, plain::grid(ctx, shape, shape.queries, 1), plain::forward_kernel<S, V>, shape, q, k, v, out, lse);
        },
        q, k, v, out);
  }

  /// Overwrites delta [batch * heads, queries].
  static void backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                       Mat<const S> out, Mat<const float> lse, Mat<float> delta, Mat<const S> dout, Mat<S> dq,
                       Mat<S> dk, Mat<S> dv) {
    with_packs_of_heads(
        shape,
        [&]<int V>() {
          launch(ctx, plain::grid(ctx, shape, shape.queries, 1), plain::backward_kernel<S, V, false>, shape, q, k, v,
                 out, lse, delta, dout, dq, dk, dv);
          launch(ctx, plain::grid(ctx, shape, shape.keys, 2), plain::backward_kernel<S, V, true>, shape, q, k, v, out,
                 lse, delta, dout, dq, dk, dv);
        },
        q, k, v, out, dout, dq, dk, dv);
  }

 private:
  /// Packs when those of one head are whole ones, too.
  template <class Body, class... Views>
  static void with_packs_of_heads(const AttentionShape& shape, Body&& body, const Mat<const S>& first,
                                  const Views&... views) {
    with_packs<S>(body, Mat<const S>(first.data(), 1, shape.head_dim), first, views...);
  }
};

}  // namespace vjepa::cuda
