#pragma once

#include <cuda_runtime.h>

#include "vjepa/cuda/launch.cuh"
#include "vjepa/cuda/losses.hpp"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// |z - h|^p for V values from i V on, whose gradient it writes.
template <class S, int V>
struct PowerTerm {
  const S* z;
  const S* h;
  S* dz;
  float p;
  float weight;

  __device__ double operator()(Index i) const {
    const auto a = load<V>(z + i * V);
    const auto b = load<V>(h + i * V);
    Pack<S, V> gradient;
    double sum = 0;
    for (int v = 0; v < V; ++v) {
      const float difference = static_cast<float>(a[v]) - static_cast<float>(b[v]);
      const float size = fabsf(difference);
      const float sign = static_cast<float>(difference > 0) - static_cast<float>(difference < 0);
      const float power = p == 1 ? 1.0f : p == 2 ? size : powf(size, p - 1);  // |z - h|^(p - 1)
      gradient[v] = S(weight * sign * power);
      sum += static_cast<double>(power * size);
    }
    store(dz + i * V, gradient);
    return sum;
  }
};

/// relu(1 - std), whose gradient it writes.
struct HingeTerm {
  const float* std;
  float* dstd;
  float weight;

  __device__ double operator()(Index i) const {
    const float room = 1.0f - std[i];
    const bool enough = room <= 0;  // not of a deviation that is no number, which the loss is to tell
    dstd[i] = enough ? 0.0f : -weight;
    return enough ? 0.0 : static_cast<double>(room);
  }
};

/// What `token_moments_kernel` makes of a feature's deviation.
template <class S>
struct AddDeviation {
  Mat<float> std;
  float eps;
  float weight;

  /// std[b, d] += weight * sqrt(variance + eps); the tokens stay as they are.
  __device__ float factor(Index b, Index d, float variance, Index, bool writes) const {
    if (writes) std(b, d) += weight * sqrtf(variance + eps);
    return 0;
  }
  static constexpr bool changes_tokens = false;
  __device__ S* tokens(Index) const { return nullptr; }
};

template <class S>
struct DeviationGradient {
  Mat<const float> dstd;
  Seq<S> dz;
  float eps;
  float weight;

  /// dz[b, i, d] += factor * (z[b, i, d] - mean)
  __device__ float factor(Index b, Index d, float variance, Index count, bool) const {
    return weight * dstd(b, d) / (sqrtf(variance + eps) * static_cast<float>(count - 1));
  }
  static constexpr bool changes_tokens = true;
  __device__ S* tokens(Index b) const { return dz.row(b); }
};

/// The sum over the block's warps of each lane's V values, in every warp. `sums` holds [warps, V, 32].
template <int V>
__device__ void sum_over_warps(float* sums, float (&values)[V]) {
  for (int v = 0; v < V; ++v) sums[(warp_index() * V + v) * warp_size + lane_index()] = values[v];
  __syncthreads();
  for (int v = 0; v < V; ++v) {
    values[v] = 0;
    for (int w = 0; w < warp_count(); ++w) values[v] += sums[(w * V + v) * warp_size + lane_index()];
  }
  __syncthreads();
}

/// Calls use(i, packs) for each token i < end that is this warp's, with its V features from each of `columns`, where
/// tokens are n apart. Several tokens are read before the first is used, so that memory has enough to do.
template <int V, class S, int sources, class Use>
__device__ void each_token_of_warp(const S* const (&columns)[sources], Index n, Index end, Use&& use) {
  constexpr int at_once = 4;
  for (Index first = warp_index(); first < end; first += at_once * warp_count()) {
    Pack<S, V> packs[at_once][sources];
#pragma unroll
    for (int k = 0; k < at_once; ++k) {
      const Index i = first + k * warp_count();
      if (i >= end) break;
      for (int s = 0; s < sources; ++s) packs[k][s] = load<V>(columns[s] + i * n);
    }
#pragma unroll
    for (int k = 0; k < at_once; ++k) {
      const Index i = first + k * warp_count();
      if (i >= end) break;
      use(i, packs[k]);
    }
  }
}

/// Mean and unbiased variance over the tokens of each feature, in two passes: a block for a clip and 32 packs of
/// features, whose warps share the tokens.
template <class S, int V, class Use>
__global__ void token_moments_kernel(Seq<const S> z, Use use) {
  float* const sums = dynamic_shared<float>();
  const Index b = blockIdx.y;
  const Index d = (static_cast<Index>(blockIdx.x) * warp_size + lane_index()) * V;
  const Index tokens = z.extent(1);
  const Index n = z.cols();
  const Index end = d < n ? tokens : 0;  // a lane beyond the last feature has no tokens, and waits with the others
  const S* const column = z.row(b) + d;
  float mean[V] = {};
  each_token_of_warp<V>({column}, n, end, [&](Index, const auto& packs) {
    for (int v = 0; v < V; ++v) mean[v] += static_cast<float>(packs[0][v]);
  });
  sum_over_warps<V>(sums, mean);
  for (int v = 0; v < V; ++v) mean[v] /= static_cast<float>(tokens);
  float variance[V] = {};
  each_token_of_warp<V>({column}, n, end, [&](Index, const auto& packs) {
    for (int v = 0; v < V; ++v) {
      const float centered = static_cast<float>(packs[0][v]) - mean[v];
      variance[v] += centered * centered;
    }
  });
  sum_over_warps<V>(sums, variance);
  if (d >= n) return;
  float factor[V];
  for (int v = 0; v < V; ++v) {
    variance[v] /= static_cast<float>(tokens - 1);
    factor[v] = use.factor(b, d + v, variance[v], tokens, warp_index() == 0);
  }
  if constexpr (Use::changes_tokens) {
    S* const out = use.tokens(b) + d;
    each_token_of_warp<V>({column, out}, n, tokens, [&](Index i, const auto& packs) {
      auto changed = packs[1];
      for (int v = 0; v < V; ++v) {
        changed[v] = S(static_cast<float>(changed[v]) + factor[v] * (static_cast<float>(packs[0][v]) - mean[v]));
      }
      store(out + i * n, changed);
    });
  }
}

/// A warp for each row: partials[i] = -log softmax(logits[i])[labels[i]]
template <class S>
__global__ void cross_entropy_kernel(Mat<const S> logits, Labels labels, float weight, Mat<S> dlogits,
                                     double* partials) {
  const Index row = global_warp_index();
  if (row >= logits.rows()) return;
  const Index n = logits.cols();
  const S* const in = logits.row(row);
  const Index label = labels(row);
  float largest = static_cast<float>(in[0]);
  for (Index j = lane_index(); j < n; j += warp_size) largest = fmaxf(largest, static_cast<float>(in[j]));
  largest = warp_max(largest);
  float total = 0;
  for (Index j = lane_index(); j < n; j += warp_size) total += expf(static_cast<float>(in[j]) - largest);
  const float log_sum = largest + logf(warp_sum(total));
  const float missing = log_sum - static_cast<float>(in[label]);
  S* const out = dlogits.row(row);
  for (Index j = lane_index(); j < n; j += warp_size) {
    out[j] = S(weight * (expf(static_cast<float>(in[j]) - log_sum) - static_cast<float>(j == label)));
  }
  if (lane_index() == 0) partials[row] = static_cast<double>(missing);
}

template <class S, class Use, class... Changed>
void token_moments(Context& ctx, Seq<const S> z, Use use, const Changed&... changed) {
  with_packs<S>(
      [&]<int V>() {
        constexpr int threads = 512;
        const Index columns = Index{V} * warp_size;
        launch(ctx,
               {.blocks = (z.cols() + columns - 1) / columns,
                .threads = threads,
                .shared = sizeof(float) * threads * V,
                .blocks_y = z.rows()},
               token_moments_kernel<S, V, Use>, z, use);
      },
      z, changed...);
}

template <class S>
void Losses<S>::power_loss(Context& ctx, Seq<const S> z, Seq<const S> h, double p, double weight, Vec<float> loss,
                           Seq<S> dz) {
  const Vec<const S> a = z.flat();
  const Vec<const S> b = h.flat();
  const Vec<S> d = dz.flat();
  with_packs<S>(
      [&]<int V>() {
        ordered_sum(ctx, a.size() / V,
                    PowerTerm<S, V>{a.data(), b.data(), d.data(), static_cast<float>(p), static_cast<float>(weight)},
                    AddTo{loss.data(), weight / p});
      },
      a, b, d);
}

template <class S>
void Losses<S>::token_std(Context& ctx, Seq<const S> z, double eps, double weight, Mat<float> std) {
  token_moments(ctx, z, AddDeviation<S>{std, static_cast<float>(eps), static_cast<float>(weight)});
}

template <class S>
void Losses<S>::hinge(Context& ctx, Mat<const float> std, double weight, Vec<float> loss, Mat<float> dstd) {
  ordered_sum(ctx, std.size(), HingeTerm{std.flat().data(), dstd.flat().data(), static_cast<float>(weight)},
              AddTo{loss.data(), weight});
}

template <class S>
void Losses<S>::token_std_backward(Context& ctx, Seq<const S> z, double eps, Mat<const float> dstd, double weight,
                                   Seq<S> dz) {
  token_moments(ctx, z, DeviationGradient<S>{dstd, dz, static_cast<float>(eps), static_cast<float>(weight)}, dz);
}

template <class S>
void Losses<S>::cross_entropy(Context& ctx, Mat<const S> logits, Labels labels, double weight, Vec<float> loss,
                              Mat<S> dlogits) {
  if (logits.rows() == 0) return;
  double* const missing = ctx.scratch<double>(logits.rows());
  launch(ctx, warp_for_each(logits.rows()), cross_entropy_kernel<S>, logits, labels, static_cast<float>(weight),
         dlogits, missing);
  finish_sum(ctx, missing, logits.rows(), AddTo{loss.data(), weight});
}

}  // namespace vjepa::cuda
