#pragma once

#include <cstddef>
#include <cstdint>

#include "vjepa/core/device.hpp"
#include "vjepa/core/fingerprint.hpp"

namespace vjepa {

/// A device that computes nothing and counts everything: run a model on it to learn, before any memory is taken, how
/// large its arena must be, how many operations a call costs, and whether it is the same work as another. Views it
/// hands out point nowhere.
template <class D>
struct Estimate {
  using Scalar = typename D::Scalar;
  using Grad = typename D::Grad;

  struct Context {
    double product_flops = 0;    // matrix products, a multiply-add counted as two
    double attention_flops = 0;  // the two products of a forward, the five of a backward
    Fingerprint work;            // every call with its arguments
    bool repeatable = true;      // false: the calls do not say all; they reach the host, or take memory
  };

  /// More than any machine has; an Arena of this size never runs out.
  static constexpr std::size_t unlimited = std::size_t{1} << 60;

  static void* allocate(Context& ctx, std::size_t) {
    ctx.repeatable = false;
    return reinterpret_cast<void*>(std::uintptr_t{64});
  }
  static void deallocate(Context&, void*) {}
  static void upload(Context& ctx, const void*, void*, std::size_t) { ctx.repeatable = false; }
  static void download(Context& ctx, const void*, void*, std::size_t) { ctx.repeatable = false; }
  static void copy(Context& ctx, const void* source, void* target, std::size_t bytes) {
    ctx.work.add_call("copy", {source, target, bytes});
  }
  static void clear(Context& ctx, void* data, std::size_t bytes) { ctx.work.add_call("clear", {data, bytes}); }
  static void synchronize(Context& ctx) { ctx.repeatable = false; }

  struct Feed {
    static constexpr bool beside = false;

    explicit Feed(Context&) {}
    void upload(Context&, const void*, void*, std::size_t) {}
    void await(Context&) {}
    void release(Context&) {}
  };
  struct Replay {
    template <class Work>
    void run(Context&, std::uint64_t, Work&& work) {
      work();
    }
    void forget() {}
  };

  using Input = Mat<const Scalar>;

  template <class... Rest>
  static void linear(Context& ctx, Input x, Input w, Rest... rest) {
    ctx.work.add_call("linear", {x, w, rest...});
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_residual(Context& ctx, Input x, Input w, Rest... rest) {
    ctx.work.add_call("linear_residual", {x, w, rest...});
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_gelu(Context& ctx, Input x, Input w, Rest... rest) {
    ctx.work.add_call("linear_gelu", {x, w, rest...});
    product(ctx, x, w);
  }
  template <class... Rest>
  static void linear_backward_data(Context& ctx, Input dy, Input w, Rest... rest) {
    ctx.work.add_call("linear_backward_data", {dy, w, rest...});
    product(ctx, dy, w);
  }
  template <class... Rest>
  static void linear_backward_data_gelu(Context& ctx, Input dy, Input w, Rest... rest) {
    ctx.work.add_call("linear_backward_data_gelu", {dy, w, rest...});
    product(ctx, dy, w);
  }
  template <class... Rest>
  static void linear_backward_weights(Context& ctx, Input x, Input dy, Rest... rest) {
    ctx.work.add_call("linear_backward_weights", {x, dy, rest...});
    ctx.product_flops +=
        2.0 * static_cast<double>(x.rows()) * static_cast<double>(x.cols()) * static_cast<double>(dy.cols());
  }

  template <class... Rest>
  static void attention(Context& ctx, const AttentionShape& shape, Rest... rest) {
    ctx.work.add_call("attention", {shape, rest...});
    ctx.attention_flops += 2 * score_flops(shape);
  }
  template <class... Rest>
  static void attention_backward(Context& ctx, const AttentionShape& shape, Rest... rest) {
    ctx.work.add_call("attention_backward", {shape, rest...});
    ctx.attention_flops += 5 * score_flops(shape);
  }

  // What is left moves memory and costs next to no arithmetic.
  template <class... Rest>
  static void layer_norm(Context& ctx, Rest... rest) {
    ctx.work.add_call("layer_norm", {rest...});
  }
  template <class... Rest>
  static void layer_norm_backward(Context& ctx, Rest... rest) {
    ctx.work.add_call("layer_norm_backward", {rest...});
  }
  template <class... Rest>
  static void normalize(Context& ctx, Rest... rest) {
    ctx.work.add_call("normalize", {rest...});
  }
  template <class... Rest>
  static void patchify(Context& ctx, Rest... rest) {
    ctx.work.add_call("patchify", {rest...});
  }
  template <class... Rest>
  static void add_positions(Context& ctx, Rest... rest) {
    ctx.work.add_call("add_positions", {rest...});
  }
  template <class... Rest>
  static void gather_tokens(Context& ctx, Rest... rest) {
    ctx.work.add_call("gather_tokens", {rest...});
  }
  template <class... Rest>
  static void copy_tokens(Context& ctx, Rest... rest) {
    ctx.work.add_call("copy_tokens", {rest...});
  }
  template <class... Rest>
  static void add_tokens(Context& ctx, Rest... rest) {
    ctx.work.add_call("add_tokens", {rest...});
  }
  template <class... Rest>
  static void fill_tokens(Context& ctx, Rest... rest) {
    ctx.work.add_call("fill_tokens", {rest...});
  }
  template <class... Rest>
  static void sum_tokens(Context& ctx, Rest... rest) {
    ctx.work.add_call("sum_tokens", {rest...});
  }
  template <class... Rest>
  static void power_loss(Context& ctx, Rest... rest) {
    ctx.work.add_call("power_loss", {rest...});
  }
  template <class... Rest>
  static void token_std(Context& ctx, Rest... rest) {
    ctx.work.add_call("token_std", {rest...});
  }
  template <class... Rest>
  static void hinge(Context& ctx, Rest... rest) {
    ctx.work.add_call("hinge", {rest...});
  }
  template <class... Rest>
  static void token_std_backward(Context& ctx, Rest... rest) {
    ctx.work.add_call("token_std_backward", {rest...});
  }
  template <class... Rest>
  static void cross_entropy(Context& ctx, Rest... rest) {
    ctx.work.add_call("cross_entropy", {rest...});
  }
  template <class... Rest>
  static void norm(Context& ctx, Rest... rest) {
    ctx.work.add_call("norm", {rest...});
  }
  template <class... Rest>
  static void convert(Context& ctx, Rest... rest) {
    ctx.work.add_call("convert", {rest...});
  }

  // No two steps give these the same numbers.
  template <class... Rest>
  static void resize_pictures(Context& ctx, Rest...) {
    ctx.repeatable = false;
  }
  template <class... Rest>
  static void adamw(Context& ctx, Rest...) {
    ctx.repeatable = false;
  }

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
