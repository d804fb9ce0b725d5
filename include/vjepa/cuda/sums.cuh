#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "vjepa/core/view.hpp"
#include "vjepa/cuda/launch.cuh"

// Sums over many blocks without atomics: each block writes its part, a second kernel adds the parts in their order. How
// the work is cut depends on its shape alone.

namespace vjepa::cuda {

/// The sum over the threads of the block, in every thread. Uses sizeof(double) bytes of shared memory for each warp;
/// all threads of the block call it.
__device__ inline double block_sum(double value) {
  double* const parts = dynamic_shared<double>();
  value = warp_sum(value);
  if (lane_index() == 0) parts[warp_index()] = value;
  __syncthreads();
  double sum = 0;
  for (int w = 0; w < warp_count(); ++w) sum += parts[w];
  return sum;
}

template <class Term>
__global__ void sum_terms_kernel(Index count, Term term, double* partials) {
  const auto threads = static_cast<Index>(gridDim.x) * blockDim.x;
  double sum = 0;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) sum += term(i);
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

template <class Finish>
__global__ void finish_sum_kernel(const double* partials, Index count, Finish finish) {
  double sum = 0;
  for (Index i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) finish(sum);
}

/// Calls finish(sum of partials[i] over i in [0, count)) on the device.
template <class Finish>
void finish_sum(Context& ctx, const double* partials, Index count, Finish finish) {
  constexpr int threads = 256;
  launch(ctx, {.blocks = 1, .threads = threads, .shared = sizeof(double) * threads / warp_size},
         finish_sum_kernel<Finish>, partials, count, finish);
}

/// Calls term(i) once for each i in [0, count), and finish(their sum), both on the device; the sum is double.
template <class Term, class Finish>
void ordered_sum(Context& ctx, Index count, Term term, Finish finish) {
  constexpr int threads = 256;
  constexpr Index terms_per_thread = 4;
  constexpr Index most_blocks = 1024;
  const Index wanted = (count + threads * terms_per_thread - 1) / (threads * terms_per_thread);
  const Index blocks = std::min(most_blocks, wanted);
  double* const partials = ctx.scratch<double>(std::max<Index>(1, blocks));
  launch(ctx, {.blocks = blocks, .threads = threads, .shared = sizeof(double) * threads / warp_size},
         sum_terms_kernel<Term>, count, term, partials);
  finish_sum(ctx, partials, blocks, finish);
}

/// to[0] += scale * sum
struct AddTo {
  float* to;
  double scale;

  __device__ void operator()(double sum) const { *to += static_cast<float>(scale * sum); }
};

/// sums[j] += sum over p of partials[p, j], and more[j] the same of the columns that follow: a block for 32 columns,
/// whose warps share the rows.
static __global__ void add_partials_kernel(Mat<const float> partials, Vec<float> sums, Vec<float> more) {
  float* const parts = dynamic_shared<float>();  // [warps, 32]
  const Index column = static_cast<Index>(blockIdx.x) * warp_size + lane_index();
  float sum = 0;
  if (column < partials.cols()) {
    for (Index p = warp_index(); p < partials.rows(); p += warp_count()) sum += partials.row(p)[column];
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (warp_index() != 0 || column >= partials.cols()) return;
  float total = 0;
  for (int w = 0; w < warp_count(); ++w) total += parts[w * warp_size + lane_index()];
  (column < sums.rows() ? sums.data() + column : more.data() + (column - sums.rows()))[0] += total;
}

/// `partials` has a column for each of `sums` and then for each of `more`.
inline void add_partials(Context& ctx, Mat<const float> partials, Vec<float> sums, Vec<float> more = {}) {
  constexpr int threads = 512;
  assert(partials.cols() == sums.rows() + more.rows());
  launch(
      ctx,
      {.blocks = (partials.cols() + warp_size - 1) / warp_size, .threads = threads, .shared = sizeof(float) * threads},
      add_partials_kernel, partials, sums, more);
}

/// Rows [begin, end) of a part when `rows` are cut for at most `most` parts of at least `least` rows.
struct Parts {
  Index rows;
  Index count;

  Parts(Index all, Index least, Index most) : rows(std::max(least, (all + most - 1) / most)) {
    count = (all + rows - 1) / rows;
  }
};

/// to[column + v] = the sum of sum[v] over the warps of the block, which have the same columns. Uses V * 32 floats of
/// shared memory for each warp; all threads of the block call it.
template <int V>
__device__ void write_column_partials(const float (&sum)[V], Index column, float* to, Index columns) {
  float* const sums = dynamic_shared<float>();  // [warps, V, 32]
  for (int v = 0; v < V; ++v) sums[(warp_index() * V + v) * warp_size + lane_index()] = sum[v];
  __syncthreads();
  if (warp_index() != 0 || column >= columns) return;
  for (int v = 0; v < V; ++v) {
    float total = 0;
    for (int w = 0; w < warp_count(); ++w) total += sums[(w * V + v) * warp_size + lane_index()];
    to[column + v] = total;
  }
}

/// Cuts a [rows, n] matrix for kernels that sum its columns: a block for 32 packs of columns and one part of the rows.
/// Calls body.template operator()<V>(grid, rows of a part, partials [parts, n]), then adds the partials to `sums`.
template <class S, class Body, class... Views>
void with_column_parts(Context& ctx, Index rows, Index n, Vec<float> sums, Body&& body, const Views&... views) {
  if (rows == 0 || n == 0) return;
  const Parts parts(rows, 64, 128);
  const Mat<float> partials(ctx.scratch<float>(parts.count * n), parts.count, n);
  with_packs<S>(
      [&]<int V>() {
        constexpr int threads = 256;
        const Index columns = Index{V} * warp_size;
        body.template operator()<V>(Grid{.blocks = (n + columns - 1) / columns,
                                         .threads = threads,
                                         .shared = sizeof(float) * threads * V,
                                         .blocks_y = parts.count},
                                    parts.rows, partials);
      },
      views...);
  add_partials(ctx, partials, sums);
}

/// partials[part, j] = sum over the rows of the part, which the warps of a block share, of x[b, i, j].
template <class S, int V>
__global__ void column_partials_kernel(Seq<const S> x, Index rows_per_part, Mat<float> partials) {
  const Index column = (static_cast<Index>(blockIdx.x) * warp_size + lane_index()) * V;
  const Index tokens = x.extent(1);
  const Index begin = static_cast<Index>(blockIdx.y) * rows_per_part;
  const Index end = min(begin + rows_per_part, x.rows() * tokens);
  float sum[V] = {};
  if (column < x.cols()) {
    for (Index row = begin + warp_index(); row < end; row += warp_count()) {
      const auto pack = load<V>(x.row(row / tokens) + row % tokens * x.cols() + column);
      for (int v = 0; v < V; ++v) sum[v] += static_cast<float>(pack[v]);
    }
  }
  write_column_partials(sum, column, partials.row(blockIdx.y), x.cols());
}

/// sums[j] += sum over b, i of x[b, i, j]
template <class S>
void add_column_sums(Context& ctx, Seq<const S> x, Vec<float> sums) {
  with_column_parts<S>(
      ctx, x.rows() * x.extent(1), x.cols(), sums,
      [&]<int V>(const Grid& grid, Index rows_per_part, Mat<float> partials) {
        launch(ctx, grid, column_partials_kernel<S, V>, x, rows_per_part, partials);
      },
      x);
}

}  // namespace vjepa::cuda
