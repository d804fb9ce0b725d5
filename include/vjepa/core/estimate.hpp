#pragma once

#include <cstddef>
#include <cstdint>

#include "vjepa/core/device.hpp"

namespace vjepa {

/// A device that computes nothing and counts everything: run a model on it to learn, before any memory
/// is taken, how large its arena must be and how many operations a call costs. Views it hands out point
/// nowhere.
template <class D>
struct Estimate {
  using Scalar = typename D::Scalar;
  using Grad = typename D::Grad;

  struct Context {
    double product_flops = 0;    // matrix products, a multiply-add counted as two
    double attention_flops = 0;  // the two products of a forward, the five of a backward
  };

  /// More than any machine has; an Arena of this size never runs out.
  static constexpr std::size_t unlimited = std::size_t{1} << 60;

  static void* allocate(Context&, std::size_t) { return reinterpret_cast<void*>(std::uintptr_t{64}); }
  static void deallocate(Context&, void*) {}
  static void upload(Context&, const void*, void*, std::size_t) {}
  static void download(Context&, const void*, void*, std::size_t) {}
  static void copy(Context&, const void*, void*, std::size_t) {}
  static void clear(Context&, void*, std::size_t) {}
  static void synchronize(Context&) {}

  struct Feed {
    static constexpr bool beside = false;

    explicit Feed(Context&) {}
    void upload(Context&, const void*, void*, std::size_t) {}
    void await(Context&) {}
    void release(Context&) {}
  };

  using Input = Mat<const Scalar>;

  template <class... Rest>
  static void linear(Context& ctx, Input x, Input w, Rest...) {
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_residual(Context& ctx, Input x, Input w, Rest...) {
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_gelu(Context& ctx, Input x, Input w, Rest...) {
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_backward_data(Context& ctx, Input dy, Input w, Rest...) {
    product(ctx, dy, w);
  }
  template <class... Rest>
  static void linear_backward_data_gelu(Context& ctx, Input dy, Input w, Rest...) {
    product(ctx, dy, w);
  }
  template <class... Rest>
  static void linear_backward_weights(Context& ctx, Input x, Input dy, Rest...) {
    ctx.product_flops +=
        2.0 * static_cast<double>(x.rows()) * static_cast<double>(x.cols()) * static_cast<double>(dy.cols());
  }

  template <class... Rest>
  static void attention(Context& ctx, const AttentionShape& shape, Rest...) {
    ctx.attention_flops += 2 * score_flops(shape);
  }
  template <class... Rest>
  static void attention_backward(Context& ctx, const AttentionShape& shape, Rest...) {
    ctx.attention_flops += 5 * score_flops(shape);
  }

  // What is left moves memory and costs next to no arithmetic.
  template <class... Rest>
  static void layer_norm(Context&, Rest...) {}
  template <class... Rest>
  static void layer_norm_backward(Context&, Rest...) {}
  template <class... Rest>
  static void normalize(Context&, Rest...) {}
  template <class... Rest>
  static void resize_pictures(Context&, Rest...) {}
  template <class... Rest>
  static void patchify(Context&, Rest...) {}
  template <class... Rest>
  static void add_positions(Context&, Rest...) {}
  template <class... Rest>
  static void gather_tokens(Context&, Rest...) {}
  template <class... Rest>
  static void copy_tokens(Context&, Rest...) {}
  template <class... Rest>
  static void add_tokens(Context&, Rest...) {}
  template <class... Rest>
  static void fill_tokens(Context&, Rest...) {}
  template <class... Rest>
  static void sum_tokens(Context&, Rest...) {}
  template <class... Rest>
  static void power_loss(Context&, Rest...) {}
  template <class... Rest>
  static void token_std(Context&, Rest...) {}
  template <class... Rest>
  static void hinge(Context&, Rest...) {}
  template <class... Rest>
  static void token_std_backward(Context&, Rest...) {}
  template <class... Rest>
  static void cross_entropy(Context&, Rest...) {}
  template <class... Rest>
  static void adamw(Context&, Rest...) {}
  template <class... Rest>
  static void norm(Context&, Rest...) {}
  template <class... Rest>
  static void convert(Context&, Rest...) {}

 private:
  static void product(Context& ctx, Input x, Input w) {
    // w is [out, in]; a product with w or with its transpose costs the same.
    ctx.product_flops +=
        2.0 * static_cast<double>(x.rows()) * static_cast<double>(w.rows()) * static_cast<double>(w.cols());
  }

  static double score_flops(const AttentionShape& s) {
    return 2.0 * static_cast<double>(s.batch * s.heads) * static_cast<double>(s.queries) * static_cast<double>(s.keys) *
           static_cast<double>(s.head_dim);
  }
};

}  // namespace vjepa
