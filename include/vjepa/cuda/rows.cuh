#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cassert>

#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/rows.hpp"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// Calls body(i, j) for each pack of V values of a row of n that is this lane's: its i-th, from value j on. P is how
/// many a lane has at most; 0, not known, and then i is 0.
template <int V, int P, class Body>
__device__ void each_pack(Index n, Body&& body) {
  if constexpr (P > 0) {
#pragma unroll
    for (int i = 0; i < P; ++i) {
      const Index j = (Index{i} * warp_size + lane_index()) * V;
      if (j < n) body(i, j);
    }
  } else {
    for (Index j = Index{lane_index()} * V; j < n; j += Index{warp_size} * V) body(0, j);
  }
}

/// A row of n values for several visits of each_pack: in registers, or, with P = 0, read again at each.
template <class S, int V, int P>
class RowReader {
 public:
  __device__ RowReader(const S* row, Index n) : row_(row) {
    if constexpr (P > 0) each_pack<V, P>(n, [&](int i, Index j) { packs_[i] = load<V>(row + j); });
  }
  __device__ Pack<S, V> get(int i, Index j) const {
    if constexpr (P > 0) {
      return packs_[i];
    } else {
      return load<V>(row_ + j);
    }
  }

 private:
  const S* row_;
  Pack<S, V> packs_[P > 0 ? P : 1];
};

/// Calls body.template operator()<V, P>() with the V of with_packs and the least P of each_pack that there is for rows
/// of n values; 0 where registers do not hold them.
template <class S, class Body, class... Views>
void with_row_packs(Index n, Body&& body, const Views&... views) {
  with_packs<S>(
      [&]<int V>() {
        const Index packs = (n + Index{V} * warp_size - 1) / (Index{V} * warp_size);
        if (packs <= 1) return body.template operator()<V, 1>();
        if (packs <= 2) return body.template operator()<V, 2>();
        if (packs <= 4) return body.template operator()<V, 4>();
        if (packs <= 8) return body.template operator()<V, 8>();
        body.template operator()<V, 0>();
      },
      views...);
}

/// A warp for each row: y = (x - mean) rstd gamma + beta. Empty gamma and beta are 1 and 0.
template <class S, int V, int P>
__global__ void layer_norm_kernel(Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, float eps, Mat<S> y,
                                  Mat<float> stats) {
  const Index row = global_warp_index();
  if (row >= x.rows()) return;
  const Index n = x.cols();
  const RowReader<S, V, P> in(x.row(row), n);
  float sum = 0;
  each_pack<V, P>(n, [&](int i, Index j) {
    const auto values = in.get(i, j);
    for (int v = 0; v < V; ++v) sum += static_cast<float>(values[v]);
  });
  const float mean = warp_sum(sum) / static_cast<float>(n);
  float squares = 0;
  each_pack<V, P>(n, [&](int i, Index j) {
    const auto values = in.get(i, j);
    for (int v = 0; v < V; ++v) {
      const float centered = static_cast<float>(values[v]) - mean;
      squares += centered * centered;
    }
  });
  const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(n) + eps);
  S* const out = y.row(row);
  each_pack<V, P>(n, [&](int i, Index j) {
    auto values = in.get(i, j);
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
  });
  if (!stats.empty() && lane_index() == 0) {
    stats(row, 0) = mean;
    stats(row, 1) = rstd;
  }
}

/// The sums for gamma and beta over a warp's rows: in registers, or, with P = 0, in the warp's part of shared memory,
/// where each column is touched by one lane alone.
template <int V, int P>
class ColumnSums {
 public:
  /// `shared`: [gamma and beta, V, n / V], neighbouring lanes in neighbouring banks.
  __device__ ColumnSums(float* shared, Index n) : shared_(shared), packs_(n / V), n_(n) {
    if constexpr (P == 0) store([](int, int) { return 0.0f; });
  }
  __device__ void add(int i, Index j, int v, float gamma, float beta) {
    if constexpr (P > 0) {
      sums_[i][v] += gamma;
      sums_[i][V + v] += beta;
    } else {
      shared_[v * packs_ + j / V] += gamma;
      shared_[(V + v) * packs_ + j / V] += beta;
    }
  }
  /// Leaves the sums in shared memory.
  __device__ void finish() {
    if constexpr (P > 0) store([&](int i, int v) { return sums_[i][v]; });
  }

 private:
  template <class Value>
  __device__ void store(Value&& value) {
    each_pack<V, P>(n_, [&](int i, Index j) {
#pragma unroll
      for (int v = 0; v < 2 * V; ++v) shared_[v * packs_ + j / V] = value(i, v);
    });
  }

  float* shared_;
  Index packs_;
  Index n_;
  float sums_[P > 0 ? P : 1][2 * V] = {};
};

/// Warps take the block's rows in turn; only the last addition of the sums for gamma and beta needs the block.
template <class S, int V, int P>
__global__ void layer_norm_backward_kernel(Mat<const S> dy, Mat<const S> x, Vec<const S> gamma, Mat<const float> stats,
                                           Mat<const S> skip, Mat<S> dx, Index rows_per_block, Mat<float> partials) {
  const Index n = x.cols();
  const Index packs = n / V;
  ColumnSums<V, P> sums(dynamic_shared<float>() + warp_index() * 2 * n, n);
  const Index begin = static_cast<Index>(blockIdx.x) * rows_per_block;
  const Index end = min(begin + rows_per_block, x.rows());
  for (Index row = begin + warp_index(); row < end; row += warp_count()) {
    const RowReader<S, V, P> in(x.row(row), n);
    const RowReader<S, V, P> up(dy.row(row), n);
    // Read now, so that the last visit waits for nothing. Where there is no skip, this is not used.
    const RowReader<S, V, P> added(skip.empty() ? x.row(row) : skip.row(row), n);
    const float mean = stats(row, 0);
    const float rstd = stats(row, 1);
    float sum = 0;         // of dy gamma
    float correlated = 0;  // of dy gamma xhat
    each_pack<V, P>(n, [&](int i, Index j) {
      const auto values = in.get(i, j);
      const auto d = up.get(i, j);
      const auto g = load<V>(gamma.data() + j);
      for (int v = 0; v < V; ++v) {
        const float xhat = (static_cast<float>(values[v]) - mean) * rstd;
        const float dyj = static_cast<float>(d[v]);
        sums.add(i, j, v, dyj * xhat, dyj);
        sum += dyj * static_cast<float>(g[v]);
        correlated += dyj * static_cast<float>(g[v]) * xhat;
      }
    });
    const float a = warp_sum(sum) / static_cast<float>(n);
    const float b = warp_sum(correlated) / static_cast<float>(n);
    each_pack<V, P>(n, [&](int i, Index j) {
      const auto values = in.get(i, j);
      const auto d = up.get(i, j);
      const auto g = load<V>(gamma.data() + j);
      const auto s = added.get(i, j);
      Pack<S, V> out;
      for (int v = 0; v < V; ++v) {
        const float xhat = (static_cast<float>(values[v]) - mean) * rstd;
        const float direct = (static_cast<float>(d[v]) * static_cast<float>(g[v]) - a - xhat * b) * rstd;
        out[v] = S(skip.empty() ? direct : static_cast<float>(s[v]) + direct);
      }
      store(dx.row(row) + j, out);
    });
  }
  sums.finish();
  __syncthreads();
  for (Index j = threadIdx.x; j < 2 * n; j += blockDim.x) {
    float total = 0;
    for (int w = 0; w < warp_count(); ++w) total += dynamic_shared<float>()[w * 2 * n + j];
    const Index of_one = j % n;
    partials.row(blockIdx.x)[j / n * n + of_one % packs * V + of_one / packs] = total;
  }
}

template <class S>
void Rows<S>::layer_norm(Context& ctx, Mat<const S> x, Vec<const S> gamma, Vec<const S> beta, double eps, Mat<S> y,
                         Mat<float> stats) {
  assert(y.rows() == x.rows() && y.cols() == x.cols());
  with_row_packs<S>(
      x.cols(),
      [&]<int V, int P>() {
        launch(ctx, warp_for_each(x.rows(), 4), layer_norm_kernel<S, V, P>, x, gamma, beta, static_cast<float>(eps), y,
               stats);
      },
      x, y, gamma, beta);
}

template <class S>
void Rows<S>::layer_norm_backward(Context& ctx, Mat<const S> dy, Mat<const S> x, Vec<const S> gamma,
                                  Mat<const float> stats, Mat<const S> skip, Mat<S> dx, Vec<float> dgamma,
                                  Vec<float> dbeta) {
  const Index n = x.cols();
  if (x.rows() == 0) return;
  // As many warps, up to four, as have room for their sums in the shared memory that every block has.
  const Index bytes = 2 * n * static_cast<Index>(sizeof(float));
  const auto warps = static_cast<int>(std::clamp<Index>(48 * 1024 / bytes, 1, 4));
  const Parts parts(x.rows(), 4, 384);
  const Mat<float> partials(ctx.scratch<float>(parts.count * 2 * n), parts.count, 2 * n);
  with_row_packs<S>(
      n,
      [&]<int V, int P>() {
        launch(ctx,
               {.blocks = parts.count, .threads = warps * warp_size, .shared = static_cast<std::size_t>(warps * bytes)},
               layer_norm_backward_kernel<S, V, P>, dy, x, gamma, stats, skip, dx, parts.rows, partials);
      },
      dy, x, gamma, skip, dx);
  add_partials(ctx, partials, dgamma, dbeta);
}

template <class S>
void Rows<S>::normalize(Context& ctx, Mat<const S> x, double eps, Mat<S> y) {
  layer_norm(ctx, x, {}, {}, eps, y, {});
}

}  // namespace vjepa::cuda
