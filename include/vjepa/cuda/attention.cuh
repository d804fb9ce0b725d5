#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cuda/context.cuh"
#include "vjepa/cuda/flash_attention.cuh"
#include "vjepa/cuda/plain_attention.cuh"

namespace vjepa::cuda {

/// An attention policy is a class template over the scalar, with the functions of the concept Attention and
/// `describe`, which says what computes it.
///
/// This one is the library's own: on tensor cores when the head size is a multiple of 8 and the memory is aligned to 16
/// bytes, as a model's always is, and the GPU has the shared memory for it; what is left by plain arithmetic. Memory is
/// linear in the tokens, gradients have one writer each and come out the same in every run. Throws Error for head sizes
/// beyond 128.
template <class S>
struct FlashAttention {
  static std::string describe() {
    return std::is_same_v<S, bf16> ? "tensor cores" : "tensor cores, three products of TF32 for one";
  }

  static void attention(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                        Mat<float> lse) {
    with_kernel(
        ctx, shape, TensorCoreAttention<S>::forward_bytes(shape),
        [&]<class Kernel>() { Kernel::forward(ctx, shape, q, k, v, out, lse); }, q, k, v, out);
  }

  static void attention_backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                                 Mat<const S> out, Mat<const float> lse, Mat<const S> dout, Mat<S> dq, Mat<S> dk,
                                 Mat<S> dv) {
    const Mat<float> delta(ctx.scratch<float>(shape.batch * shape.heads * shape.queries), shape.batch * shape.heads,
                           shape.queries);
    attention_delta(ctx, shape, out, dout, delta);
    with_kernel(
        ctx, shape, TensorCoreAttention<S>::backward_bytes(shape),
        [&]<class Kernel>() { Kernel::backward(ctx, shape, q, k, v, lse, delta, dout, dq, dk, dv); }, q, k, v, dout, dq,
        dk, dv);
  }

 private:
  /// `shared_bytes` are what tensor cores would need of a block.
  template <class Body, class... Views>
  static void with_kernel(const Context& ctx, const AttentionShape& shape, std::size_t shared_bytes, Body&& body,
                          const Views&... views) {
    if (shape.head_dim > PlainAttention<S>::most_head_dim) {
      fail("vjepa::Cuda: attention with heads of ", shape.head_dim, " features; at most ",
           PlainAttention<S>::most_head_dim, " are supported: use more heads");
    }
    if (TensorCoreAttention<S>::supports(shape, views...) && shared_bytes <= ctx.most_shared_bytes()) {
      return body.template operator()<TensorCoreAttention<S>>();
    }
    body.template operator()<PlainAttention<S>>();
  }
};

}  // namespace vjepa::cuda
