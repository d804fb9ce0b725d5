#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cassert>

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/math.cuh"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// A warp for each row: y = (x - mean) rstd gamma + beta, the moments in two passes over the row, which the first
/// leaves in the cache. Empty gamma and beta are 1 and 0.
template <class S, int V>
__global__ void layer_norm_kernel(Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, float eps, Mat<S> y,
                                  Mat<float> stats) {
  const Index row = global_warp_index();
  if (row >= x.rows()) return;
  const Index n = x.cols();
  const Index first = Index{lane_index()} * V;
  constexpr Index step = Index{warp_size} * V;
  const S* const in = x.row(row);
  float sum = 0;
  for (Index j = first; j < n; j += step) {
    const auto values = load<V>(in + j);
    for (int v = 0; v < V; ++v) sum += static_cast<float>(values[v]);
  }
  const float mean = warp_sum(sum) / static_cast<float>(n);
  float squares = 0;
  for (Index j = first; j < n; j += step) {
    const auto values = load<V>(in + j);
    for (int v = 0; v < V; ++v) {
      const float centered = static_cast<float>(values[v]) - mean;
      squares += centered * centered;
    }
  }
  const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(n) + eps);
  S* const out = y.row(row);
  for (Index j = first; j < n; j += step) {
    auto values = load<V>(in + j);
    if (gamma.empty()) {
      for (int v = 0; v < V; ++v) values[v] = S((static_cast<float>(values[v]) - mean) * rstd);
    } else {
      const auto g = load<V>(gamma.data() + j);
      const auto b = load<V>(beta.data() + j);
      for (int v = 0; v < V; ++v) {
        const float normal = (static_cast<float>(values[v]) - mean) * rstd;
        values[v] = S(normal * static_cast<float>(g[v]) + static_cast<float>(b[v]));
      }
    }
    store(out + j, values);
  }
  if (!stats.empty() && lane_index() == 0) {
    stats(row, 0) = mean;
    stats(row, 1) = rstd;
  }
}

/// Warps take the block's rows in turn. The sums for gamma and beta of a warp's rows lie in shared memory, each column
/// touched by one lane alone, so that only the last addition needs the block.
template <class S, int V>
__global__ void layer_norm_backward_kernel(Mat<const S> dy, Mat<const S> x, Vec<const S> gamma, Mat<const float> stats,
                                           Mat<const S> skip, Mat<S> dx, Index rows_per_block, Mat<float> partials) {
  const Index n = x.cols();
  const Index packs = n / V;
  // [warps, gamma and beta, V, packs]: neighbouring lanes in neighbouring banks
  float* const sums = dynamic_shared<float>() + warp_index() * 2 * n;
  for (Index j = lane_index(); j < packs; j += warp_size) {
    for (int v = 0; v < 2 * V; ++v) sums[v * packs + j] = 0;
  }
  const Index begin = static_cast<Index>(blockIdx.x) * rows_per_block;
  const Index end = min(begin + rows_per_block, x.rows());
  for (Index row = begin + warp_index(); row < end; row += warp_count()) {
    const float mean = stats(row, 0);
    const float rstd = stats(row, 1);
    float sum = 0;         // of dy gamma
    float correlated = 0;  // of dy gamma xhat
    for (Index j = lane_index(); j < packs; j += warp_size) {
      const auto in = load<V>(x.row(row) + j * V);
      const auto d = load<V>(dy.row(row) + j * V);
      const auto g = load<V>(gamma.data() + j * V);
      for (int v = 0; v < V; ++v) {
        const float xhat = (static_cast<float>(in[v]) - mean) * rstd;
        const float dyj = static_cast<float>(d[v]);
        sums[v * packs + j] += dyj * xhat;
        sums[(V + v) * packs + j] += dyj;
        sum += dyj * static_cast<float>(g[v]);
        correlated += dyj * static_cast<float>(g[v]) * xhat;
      }
    }
    const float a = warp_sum(sum) / static_cast<float>(n);
    const float b = warp_sum(correlated) / static_cast<float>(n);
    for (Index j = lane_index(); j < packs; j += warp_size) {
      const auto in = load<V>(x.row(row) + j * V);
      const auto d = load<V>(dy.row(row) + j * V);
      const auto g = load<V>(gamma.data() + j * V);
      const auto s = skip.empty() ? Pack<S, V>{} : load<V>(skip.row(row) + j * V);
      Pack<S, V> out;
      for (int v = 0; v < V; ++v) {
        const float xhat = (static_cast<float>(in[v]) - mean) * rstd;
        const float direct = (static_cast<float>(d[v]) * static_cast<float>(g[v]) - a - xhat * b) * rstd;
        out[v] = S(skip.empty() ? direct : static_cast<float>(s[v]) + direct);
      }
      store(dx.row(row) + j * V, out);
    }
  }
  __syncthreads();
  for (Index j = threadIdx.x; j < 2 * n; j += blockDim.x) {
    float total = 0;
    for (int w = 0; w < warp_count(); ++w) total += dynamic_shared<float>()[w * 2 * n + j];
    const Index of_one = j % n;
    partials.row(blockIdx.x)[j / n * n + of_one % packs * V + of_one / packs] = total;
  }
}

/// A warp for each row: y = f(x), or y = f(x) y where the function takes both.
template <class S, int V, class Function>
__global__ void map_kernel(Mat<const S> x, Mat<S> y, Function function) {
  const Index row = global_warp_index();
  if (row >= x.rows()) return;
  for (Index j = Index{lane_index()} * V; j < x.cols(); j += Index{warp_size} * V) {
    const auto in = load<V>(x.row(row) + j);
    auto out = Function::reads_result ? load<V>(y.row(row) + j) : Pack<S, V>{};
    for (int v = 0; v < V; ++v) out[v] = S(function(static_cast<float>(in[v]), static_cast<float>(out[v])));
    store(y.row(row) + j, out);
  }
}

struct Gelu {
  static constexpr bool reads_result = false;
  __device__ float operator()(float x, float) const { return gelu(x); }
};

struct TimesGeluDerivative {
  static constexpr bool reads_result = true;
  __device__ float operator()(float x, float y) const { return y * gelu_derivative(x); }
};

/// y[i, j] = function(x[i, j], y[i, j]); y may be x.
template <class S, class Function>
void map(Context& ctx, Mat<const S> x, Mat<S> y, Function function) {
  assert(y.rows() == x.rows() && y.cols() == x.cols());
  with_packs<S>([&]<int V>() { launch(ctx, warp_for_each(x.rows()), map_kernel<S, V, Function>, x, y, function); }, x,
                y);
}

template <class S>
struct Rows {
  static void layer_norm(Context& ctx, Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, double eps, Mat<S> y,
                         Mat<float> stats) {
    assert(y.rows() == x.rows() && y.cols() == x.cols());
    with_packs<S>(
        [&]<int V>() {
          launch(ctx, warp_for_each(x.rows()), layer_norm_kernel<S, V>, x, gamma, beta, static_cast<float>(eps), y,
                 stats);
        },
        x, y, gamma, beta);
  }

  static void layer_norm_backward(Context& ctx, Mat<const S> dy, Mat<const S> x, Vec<const S> gamma,
                                  Mat<const float> stats, Mat<const S> skip, Mat<S> dx, Vec<float> dgamma,
                                  Vec<float> dbeta) {
    const Index n = x.cols();
    if (x.rows() == 0) return;
    // As many warps, up to four, as have room for their sums in the shared memory that every block has.
    const Index bytes = 2 * n * static_cast<Index>(sizeof(float));
    const auto warps = static_cast<int>(std::clamp<Index>(48 * 1024 / bytes, 1, 4));
    const Parts parts(x.rows(), 4, 512);
    const Mat<float> partials(ctx.scratch<float>(parts.count * 2 * n), parts.count, 2 * n);
    with_packs<S>(
        [&]<int V>() {
          launch(
              ctx,
              {.blocks = parts.count, .threads = warps * warp_size, .shared = static_cast<std::size_t>(warps * bytes)},
              layer_norm_backward_kernel<S, V>, dy, x, gamma, stats, skip, dx, parts.rows, partials);
        },
        dy, x, gamma, skip, dx);
    const auto half = [&](Index begin) {
      return Mat<const float>(partials.data() + begin, parts.count, n).with_stride(2 * n);
    };
    add_partials(ctx, half(0), dgamma);
    add_partials(ctx, half(n), dbeta);
  }

  static void normalize(Context& ctx, Mat<const S> x, double eps, Mat<S> y) { layer_norm(ctx, x, {}, {}, eps, y, {}); }

  static void gelu(Context& ctx, Mat<const S> x, Mat<S> y) { map(ctx, x, y, Gelu{}); }
};

}  // namespace vjepa::cuda
