#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/launch.cuh"

namespace vjepa::cuda {

/// delta[b * heads + h, i] = dout . out of query i: the sum over keys of p dp, which the gradient of softmax takes off.
/// A thread for each, heads of one row side by side.
template <class S, int V>
__global__ void attention_delta_kernel(AttentionShape shape, Mat<const S> out, Mat<const S> dout, Mat<float> delta) {
  const Index task = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (task >= shape.batch * shape.queries * shape.heads) return;
  const Index h = task % shape.heads;
  const Index row = task / shape.heads;
  const S* const o = out.row(row) + h * shape.head_dim;
  const S* const d = dout.row(row) + h * shape.head_dim;
  float sum = 0;
  for (Index j = 0; j < shape.head_dim; j += V) {
    const auto a = load<V>(o + j);
    const auto b = load<V>(d + j);
    for (int v = 0; v < V; ++v) sum += static_cast<float>(a[v]) * static_cast<float>(b[v]);
  }
  delta(row / shape.queries * shape.heads + h, row % shape.queries) = sum;
}

template <class S>
void attention_delta(Context& ctx, AttentionShape shape, Mat<const S> out, Mat<const S> dout, Mat<float> delta) {
  constexpr int threads = 128;
  const Index tasks = shape.batch * shape.queries * shape.heads;
  // The features of one head: packs when they are whole ones.
  const Mat<const S> head(out.data(), 1, shape.head_dim);
  with_packs<S>(
      [&]<int V>() {
        launch(ctx, {.blocks = (tasks + threads - 1) / threads, .threads = threads}, attention_delta_kernel<S, V>,
               shape, out, dout, delta);
      },
      head, out, dout);
}

namespace plain {

inline constexpr int warps = 8;
inline constexpr int rows_per_warp = 4;
inline constexpr int block_rows = warps * rows_per_warp;
inline constexpr int tile = warp_size;
inline constexpr int slices = 4;  // features of a head that one lane adds up: 128 / 32

/// Copies `count` rows of one head into shared memory as [tile, dim + 1], the rows beyond them zero. The odd stride
/// keeps lanes that read a column apart.
template <class S>
__device__ void copy_tile(Mat<const S> from, Index row, Index count, Index column, int dim, float* to) {
  for (int i = static_cast<int>(threadIdx.x); i < block_rows * dim; i += static_cast<int>(blockDim.x)) {
    const int r = i / dim;
    to[r * (dim + 1) + i % dim] = r < count ? static_cast<float>(from.row(row + r)[column + i % dim]) : 0.0f;
  }
}

__device__ inline float dot(const float* a, const float* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// sums[s] += sum over the tile's rows j of factors[j] * rows[j, lane + 32 s]
__device__ inline void add_rows(const float* factors, const float* rows, int dim, float (&sums)[slices]) {
  for (int s = 0; s < slices; ++s) {
    const int d = lane_index() + s * warp_size;
    if (d >= dim) return;
    for (int j = 0; j < tile; ++j) sums[s] += factors[j] * rows[j * (dim + 1) + d];
  }
}

template <class S>
__device__ void store_row(const float (&sums)[slices], float scale, int dim, S* to) {
  for (int s = 0; s < slices; ++s) {
    const int d = lane_index() + s * warp_size;
    if (d < dim) to[d] = S(sums[s] * scale);
  }
}

template <class S>
__global__ void forward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                               Mat<float> lse) {
  const Index parts = (shape.queries + block_rows - 1) / block_rows;
  const Index head = static_cast<Index>(blockIdx.x) / parts;
  const Index first = static_cast<Index>(blockIdx.x) % parts * block_rows;
  const Index b = head / shape.heads;
  const Index column = head % shape.heads * shape.head_dim;
  const auto dim = static_cast<int>(shape.head_dim);
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));

  float* const queries = dynamic_shared<float>();
  float* const keys = queries + block_rows * (dim + 1);
  float* const values = keys + tile * (dim + 1);
  float* const weights = values + tile * (dim + 1) + warp_index() * tile;
  copy_tile(q, b * shape.queries + first, shape.queries - first, column, dim, queries);

  float largest[rows_per_warp];
  float sum[rows_per_warp] = {};
  float mixed[rows_per_warp][slices] = {};
  for (float& value : largest) value = -INFINITY;
  for (Index begin = 0; begin < shape.keys; begin += tile) {
    __syncthreads();
    copy_tile(k, b * shape.keys + begin, shape.keys - begin, column, dim, keys);
    copy_tile(v, b * shape.keys + begin, shape.keys - begin, column, dim, values);
    __syncthreads();
#pragma unroll
    for (int r = 0; r < rows_per_warp; ++r) {
      const float* const query = queries + (warp_index() * rows_per_warp + r) * (dim + 1);
      const float score =
          begin + lane_index() < shape.keys ? scale * dot(query, keys + lane_index() * (dim + 1), dim) : -INFINITY;
      const float larger = fmaxf(largest[r], warp_max(score));
      const float weight = expf(score - larger);
      const float shrink = expf(largest[r] - larger);
      largest[r] = larger;
      sum[r] = sum[r] * shrink + warp_sum(weight);
      for (float& value : mixed[r]) value *= shrink;
      weights[lane_index()] = weight;
      __syncwarp();
      add_rows(weights, values, dim, mixed[r]);
      __syncwarp();
    }
  }
#pragma unroll
  for (int r = 0; r < rows_per_warp; ++r) {
    const Index i = first + warp_index() * rows_per_warp + r;
    if (i >= shape.queries) break;
    store_row(mixed[r], 1.0f / sum[r], dim, out.row(b * shape.queries + i) + column);
    if (!lse.empty() && lane_index() == 0) lse(head, i) = largest[r] + logf(sum[r]);
  }
}

/// The gradients of queries, or of keys and values. Both take the scores a row against a tile at a time; they differ in
/// what is a row: with `for_keys`, rows are keys and columns queries.
template <class S, bool for_keys>
__global__ void backward_kernel(AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                                Mat<const float> lse, Mat<const float> delta, Mat<const S> dout, Mat<S> dq, Mat<S> dk,
                                Mat<S> dv) {
  const Index rows = for_keys ? shape.keys : shape.queries;
  const Index columns = for_keys ? shape.queries : shape.keys;
  const Index parts = (rows + block_rows - 1) / block_rows;
  const Index head = static_cast<Index>(blockIdx.x) / parts;
  const Index first = static_cast<Index>(blockIdx.x) % parts * block_rows;
  const Index b = head / shape.heads;
  const Index column = head % shape.heads * shape.head_dim;
  const auto dim = static_cast<int>(shape.head_dim);
  const float scale = 1.0f / sqrtf(static_cast<float>(dim));

  const int stride = dim + 1;
  float* const row_scores = dynamic_shared<float>();           // queries or keys: their products are scores
  float* const row_values = row_scores + block_rows * stride;  // dout or values: their products are those of p
  float* const column_scores = row_values + block_rows * stride;
  float* const column_values = column_scores + tile * stride;
  float* const p = column_values + tile * stride + warp_index() * 2 * tile;
  float* const ds = p + tile;
  copy_tile(for_keys ? k : q, b * rows + first, rows - first, column, dim, row_scores);
  copy_tile(for_keys ? v : dout, b * rows + first, rows - first, column, dim, row_values);

  float from_scores[rows_per_warp][slices] = {};
  float from_values[rows_per_warp][slices] = {};
  for (Index begin = 0; begin < columns; begin += tile) {
    __syncthreads();
    copy_tile(for_keys ? q : k, b * columns + begin, columns - begin, column, dim, column_scores);
    copy_tile(for_keys ? dout : v, b * columns + begin, columns - begin, column, dim, column_values);
    __syncthreads();
#pragma unroll
    for (int r = 0; r < rows_per_warp; ++r) {
      const int in_block = warp_index() * rows_per_warp + r;
      const Index row = first + in_block;
      const Index other = begin + lane_index();
      const Index query = for_keys ? other : row;
      const bool inside = row < rows && other < columns;
      const float score = scale * dot(row_scores + in_block * stride, column_scores + lane_index() * stride, dim);
      const float dp = dot(row_values + in_block * stride, column_values + lane_index() * stride, dim);
      p[lane_index()] = inside ? expf(score - lse(head, query)) : 0.0f;
      ds[lane_index()] = inside ? p[lane_index()] * (dp - delta(head, query)) : 0.0f;
      __syncwarp();
      add_rows(ds, column_scores, dim, from_scores[r]);
      if (for_keys) add_rows(p, column_values, dim, from_values[r]);
      __syncwarp();
    }
  }
#pragma unroll
  for (int r = 0; r < rows_per_warp; ++r) {
    const Index row = first + warp_index() * rows_per_warp + r;
    if (row >= rows) break;
    store_row(from_scores[r], scale, dim, (for_keys ? dk : dq).row(b * rows + row) + column);
    if (for_keys) store_row(from_values[r], 1.0f, dim, dv.row(b * rows + row) + column);
  }
}

inline Grid grid(AttentionShape shape, Index rows, Index tiles, Index weights) {
  const Index stride = shape.head_dim + 1;
  return {.blocks = shape.batch * shape.heads * ((rows + block_rows - 1) / block_rows),
          .threads = warps * warp_size,
          .shared = sizeof(float) * static_cast<std::size_t>(tiles * tile * stride + warps * weights * tile)};
}

static_assert(block_rows == tile, "vjepa::cuda::plain: tiles of rows and of columns are filled alike");

}  // namespace plain

/// Attention in float32 arithmetic, for any head size up to 128: a warp for four rows, its lanes for the 32 columns of
/// a tile when scores are taken, and for the features of the head when values are added. Scores are never stored.
template <class S>
struct PlainAttention {
  static constexpr Index most_head_dim = plain::slices * warp_size;

  static void forward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                      Mat<float> lse) {
    launch(ctx, plain::grid(shape, shape.queries, 3, 1), plain::forward_kernel<S>, shape, q, k, v, out, lse);
  }

  /// Overwrites delta [batch * heads, queries].
  static void backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                       Mat<const S> out, Mat<const float> lse, Mat<float> delta, Mat<const S> dout, Mat<S> dq,
                       Mat<S> dk, Mat<S> dv) {
    attention_delta(ctx, shape, out, dout, delta);
    launch(ctx, plain::grid(shape, shape.keys, 4, 2), plain::backward_kernel<S, true>, shape, q, k, v, lse, delta, dout,
           dq, dk, dv);
    launch(ctx, plain::grid(shape, shape.queries, 4, 2), plain::backward_kernel<S, false>, shape, q, k, v, lse, delta,
           dout, dq, dk, dv);
  }
};

}  // namespace vjepa::cuda
