#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// sum over i in [0, count) of term(i), in double, by fixed chunks added in order.
template <class Term>
double ordered_sum(Context& ctx, Index count, Term&& term) {
  constexpr Index chunk = 4096;
  const Index chunks = pieces(count, chunk);
  double* const partials = ctx.shared<double>(chunks);
  parallel_chunks(ctx, count, chunk, [&](Range r, Index c, int) {
    double sum = 0;
    for (Index i = r.begin; i < r.end; ++i) sum += term(i);
    partials[c] = sum;
  });
  double sum = 0;
  for (Index c = 0; c < chunks; ++c) sum += partials[c];
  return sum;
}

template <class S>
struct Losses {
  using T = Grad<S>;

  static void power_loss(Context& ctx, Seq<const S> z, Seq<const S> h, double p, double weight, Vec<T> loss,
                         Seq<S> dz) {
    const S* a = z.flat().data();
    const S* b = h.flat().data();
    S* d = dz.flat().data();
    const double sum = ordered_sum(ctx, z.size(), [&](Index i) {
      const T difference = T(a[i]) - T(b[i]);
      const T size = std::abs(difference);
      const T sign = T(difference > 0) - T(difference < 0);
      const T power = p == 1 ? T(1) : p == 2 ? size : std::pow(size, T(p - 1));  // |z - h|^(p - 1)
      d[i] = T(weight) * sign * power;
      return static_cast<double>(power * size);
    });
    loss.data()[0] += T(weight * sum / p);
  }

  static void token_std(Context& ctx, Seq<const S> z, double eps, double weight, Mat<T> std) {
    each_block(ctx, z, [&](Index b, Index first, Index count, const Block&, const Block& variance) {
      for (Index j = 0; j < count; ++j) std(b, first + j) += T(weight) * std::sqrt(variance[j] + T(eps));
    });
  }

  static void hinge(Context& ctx, Mat<const T> std, double weight, Vec<T> loss, Mat<T> dstd) {
    const T* s = std.flat().data();
    T* d = dstd.flat().data();
    const double sum = ordered_sum(ctx, std.size(), [&](Index i) {
      const T room = T(1) - s[i];
      const bool enough = room <= 0;  // not of a deviation that is no number, which the loss is to tell
      d[i] = enough ? T(0) : T(-weight);
      return enough ? 0.0 : static_cast<double>(room);
    });
    loss.data()[0] += T(weight * sum);
  }

  static void token_std_backward(Context& ctx, Seq<const S> z, double eps, Mat<const T> dstd, double weight,
                                 Seq<S> dz) {
    const Index tokens = z.extent(1);
    const Index n = z.cols();
    each_block(ctx, z, [&](Index b, Index first, Index count, const Block& mean, const Block& variance) {
      Block factor = Block::Zero();
      for (Index j = 0; j < count; ++j) {
        factor[j] = T(weight) * dstd(b, first + j) / (std::sqrt(variance[j] + T(eps)) * T(tokens - 1));
      }
      const S* const in = z.row(b) + first;
      S* const out = dz.row(b) + first;
      for (Index i = 0; i < tokens; ++i) {
        for (Index j = 0; j < count; ++j) {
          const T value = T(out[i * n + j]) + factor[j] * (T(in[i * n + j]) - mean[j]);
          out[i * n + j] = value;
        }
      }
    });
  }

  static void cross_entropy(Context& ctx, Mat<const S> logits, Labels labels, double weight, Vec<T> loss,
                            Mat<S> dlogits) {
    const Index n = logits.cols();
    const double sum = ordered_sum(ctx, logits.rows(), [&](Index i) {
      const S* in = logits.row(i);
      S* out = dlogits.row(i);
      const Index label = labels(i);
      T largest = T(in[0]);
      for (Index j = 1; j < n; ++j) largest = std::max(largest, T(in[j]));
      T total = 0;
      for (Index j = 0; j < n; ++j) total += std::exp(T(in[j]) - largest);
      const T log_sum = largest + std::log(total);
      const T missing = log_sum - T(in[label]);
      for (Index j = 0; j < n; ++j) {
        out[j] = T(weight) * (std::exp(T(in[j]) - log_sum) - T(j == label));
      }
      return static_cast<double>(missing);
    });
    loss.data()[0] += T(weight * sum);
  }

 private:
  /// Features whose moments are taken together, so that rows are read as they lie in memory.
  static constexpr Index block = 64;
  using Block = Eigen::Array<T, block, 1>;

  /// Calls body(b, first, count, means, unbiased variances) for features [first, first + count), over the tokens of
  /// each.
  template <class Body>
  static void each_block(Context& ctx, Seq<const S> z, Body&& body) {
    const Index tokens = z.extent(1);
    const Index n = z.cols();
    const Index blocks = pieces(n, block);
    parallel_for(ctx, z.rows() * blocks, [&](Index k, int) {
      const Index b = k / blocks;
      const Index first = k % blocks * block;
      const Index count = std::min(block, n - first);
      const S* const rows = z.row(b) + first;
      Block mean = Block::Zero();
      Block variance = Block::Zero();
      for (Index i = 0; i < tokens; ++i) {
        for (Index j = 0; j < count; ++j) mean[j] += T(rows[i * n + j]);
      }
      mean /= T(tokens);
      for (Index i = 0; i < tokens; ++i) {
        for (Index j = 0; j < count; ++j) {
          const T centered = T(rows[i * n + j]) - mean[j];
          variance[j] += centered * centered;
        }
      }
      variance /= T(tokens - 1);
      body(b, first, count, mean, variance);
    });
  }
};

}  // namespace vjepa::cpu
