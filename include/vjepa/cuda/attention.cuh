#pragma once

#include <cstddef>

#include "vjepa/cuda/attention.hpp"
#include "vjepa/cuda/flash_attention.cuh"
#include "vjepa/cuda/plain_attention.cuh"

namespace vjepa::cuda {

/// Calls body.template operator()<Kernel>() with the kernels for the shape and the memory of the views. `shared_bytes`
/// are what tensor cores would need of a block.
template <class S, class Body, class... Views>
void with_attention_kernel(const Context& ctx, const AttentionShape& shape, std::size_t shared_bytes, Body&& body,
                           const Views&... views) {
  if (TensorCoreAttention<S>::supports(shape, views...) && shared_bytes <= ctx.most_shared_bytes()) {
    return body.template operator()<TensorCoreAttention<S>>();
  }
  body.template operator()<PlainAttention<S>>();
}

template <class S>
void FlashAttention<S>::attention(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                                  Mat<S> out, Mat<float> lse) {
  with_attention_kernel<S>(
      ctx, shape, TensorCoreAttention<S>::forward_bytes(shape),
      [&]<class Kernel>() { Kernel::forward(ctx, shape, q, k, v, out, lse); }, q, k, v, out);
}

template <class S>
void FlashAttention<S>::attention_backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k,
                                           Mat<const S> v, Mat<const S> out, Mat<const float> lse, Mat<const S> dout,
                                           Mat<S> dq, Mat<S> dk, Mat<S> dv) {
  const Mat<float> delta(ctx.scratch<float>(shape.batch * shape.heads * shape.queries), shape.batch * shape.heads,
                         shape.queries);
  with_attention_kernel<S>(
      ctx, shape, TensorCoreAttention<S>::backward_bytes(shape),
      [&]<class Kernel>() { Kernel::backward(ctx, shape, q, k, v, out, lse, delta, dout, dq, dk, dv); }, q, k, v, out,
      dout, dq, dk, dv);
}

}  // namespace vjepa::cuda
