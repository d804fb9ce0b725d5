#pragma once

#include <cuda_runtime.h>

#include <cassert>

#include "vjepa/core/view.hpp"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/math.cuh"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// A warp for each row: y = gelu(x). Several packs are read before the first is written, so that memory has enough to
/// do.
template <class S, int V>
__global__ void gelu_kernel(Mat<const S> x, Mat<S> y) {
  constexpr int at_once = 4;
  constexpr Index step = Index{warp_size} * V;
  const Index row = global_warp_index();
  if (row >= x.rows()) return;
  for (Index first = Index{lane_index()} * V; first < x.cols(); first += at_once * step) {
    Pack<S, V> packs[at_once];
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      const Index j = first + i * step;
      if (j < x.cols()) packs[i] = load<V>(x.row(row) + j);
    }
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      const Index j = first + i * step;
      if (j >= x.cols()) break;
      for (int v = 0; v < V; ++v) {
        const auto in = static_cast<float>(packs[i][v]);
        packs[i][v] = S(in * normal_at(in).below);
      }
      store(y.row(row) + j, packs[i]);
    }
  }
}

/// y = gelu(x); y may be x.
template <class S>
void gelu(Context& ctx, Mat<const S> x, Mat<S> y) {
  assert(y.rows() == x.rows() && y.cols() == x.cols());
  with_packs<S>([&]<int V>() { launch(ctx, warp_for_each(x.rows()), gelu_kernel<S, V>, x, y); }, x, y);
}

/// A block for 32 packs of columns and one part of the rows, which its warps share. Several rows are read before the
/// first is written.
template <class S, int V>
__global__ void gelu_backward_kernel(Mat<const S> x, Mat<S> dy, Mat<S> y, Index rows_per_part, Mat<float> partials) {
  constexpr int at_once = 4;
  const Index column = (static_cast<Index>(blockIdx.x) * warp_size + lane_index()) * V;
  const Index begin = static_cast<Index>(blockIdx.y) * rows_per_part;
  const Index end = min(begin + rows_per_part, x.rows());
  float sum[V] = {};
  if (column < x.cols()) {
    for (Index first = begin + warp_index(); first < end; first += at_once * warp_count()) {
      Pack<S, V> values[at_once];
      Pack<S, V> gradients[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const Index row = first + i * warp_count();
        if (row >= end) break;
        values[i] = load<V>(x.row(row) + column);
        gradients[i] = load<V>(dy.row(row) + column);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const Index row = first + i * warp_count();
        if (row >= end) break;
        for (int v = 0; v < V; ++v) {
          const auto in = static_cast<float>(values[i][v]);
          const NormalAt at = normal_at(in);
          values[i][v] = S(in * at.below);
          gradients[i][v] = S(static_cast<float>(gradients[i][v]) * (at.below + in * at.density));
          sum[v] += static_cast<float>(gradients[i][v]);
        }
        store(y.row(row) + column, values[i]);
        store(dy.row(row) + column, gradients[i]);
      }
    }
  }
  write_column_partials(sum, column, partials.row(blockIdx.y), x.cols());
}

/// From the gradient `dy` of gelu's value to that of x, in its place; sums[j] += column sums of that; y = gelu(x),
/// which may be x.
template <class S>
void gelu_backward(Context& ctx, Mat<const S> x, Mat<S> dy, Vec<float> sums, Mat<S> y) {
  assert(dy.rows() == x.rows() && dy.cols() == x.cols() && y.rows() == x.rows() && y.cols() == x.cols());
  with_column_parts<S>(
      ctx, x.rows(), x.cols(), sums,
      [&]<int V>(const Grid& grid, Index rows_per_part, Mat<float> partials) {
        launch(ctx, grid, gelu_backward_kernel<S, V>, x, dy, y, rows_per_part, partials);
      },
      x, dy, y);
}

}  // namespace vjepa::cuda
