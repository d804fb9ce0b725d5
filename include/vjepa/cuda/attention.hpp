#pragma once

#include <string>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/cuda/context.hpp"

namespace vjepa::cuda {

/// An attention policy is a class template over the scalar, with the functions of the concept Attention and
/// `describe`, which says what computes it.
///
/// This one is the library's own: on tensor cores when the head size is a multiple of 8 up to 128 and the memory is
/// aligned to 16 bytes, as a model's always is, and the GPU has the shared memory for it; what is left by plain
/// arithmetic. Memory is linear in the tokens, gradients have one writer each and come out the same in every run.
template <class S>
struct FlashAttention {
  static std::string describe() {
    return std::is_same_v<S, bf16> ? "tensor cores" : "tensor cores, three products of TF32 for one";
  }

  static void attention(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v, Mat<S> out,
                        Mat<float> lse);
  static void attention_backward(Context& ctx, AttentionShape shape, Mat<const S> q, Mat<const S> k, Mat<const S> v,
                                 Mat<const S> out, Mat<const float> lse, Mat<const S> dout, Mat<S> dq, Mat<S> dk,
                                 Mat<S> dv);
};

}  // namespace vjepa::cuda
