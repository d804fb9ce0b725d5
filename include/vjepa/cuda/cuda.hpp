#pragma once

#include <string>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cuda/attention.hpp"
#include "vjepa/cuda/context.hpp"
#include "vjepa/cuda/gather.hpp"
#include "vjepa/cuda/linalg.hpp"
#include "vjepa/cuda/losses.hpp"
#include "vjepa/cuda/memory.hpp"
#include "vjepa/cuda/pixels.hpp"
#include "vjepa/cuda/rows.hpp"
#include "vjepa/cuda/update.hpp"

namespace vjepa {

/// One NVIDIA GPU of compute capability 8.0 or later: products by cuBLASLt, attention by the policy `Attn`, the rest by
/// kernels of this library. The same arguments give the same bytes in every run on the same card and CUDA version.
///
/// `S` is float, or bf16: weights and activations in bfloat16; gradients of parameters, master weights, statistics and
/// sums in float.
template <class S, template <class> class Attn = cuda::FlashAttention>
struct Cuda : cuda::Memory,
              cuda::Linalg<S>,
              cuda::Rows<S>,
              Attn<S>,
              cuda::Pixels<S>,
              cuda::Gather<S>,
              cuda::Losses<S>,
              cuda::Update<S> {
  static_assert(std::is_same_v<S, float> || std::is_same_v<S, bf16>,
                "vjepa::Cuda: the scalar must be float or vjepa::bf16");
  using Scalar = S;
  using Grad = float;
  using Context = cuda::Context;

  /// For logs: "cuda:0, NVIDIA H100 80GB HBM3, bfloat16, products by cuBLASLt 13.0, attention by tensor cores".
  static std::string describe(const Context& ctx) {
    const std::size_t version = cublasLtGetVersion();
    return text("cuda:", ctx.device(), ", ", ctx.name(), ", ", std::is_same_v<S, float> ? "float32" : "bfloat16",
                ", products by cuBLASLt ", version / 10000, ".", version / 100 % 100,
                std::is_same_v<S, float> && ctx.options().tf32 ? " in TF32" : "", ", attention by ",
                Attn<S>::describe(), ctx.options().graphs ? ", CUDA graphs" : "");
  }
};

static_assert(Device<Cuda<float>> && Device<Cuda<bf16>>);

}  // namespace vjepa
