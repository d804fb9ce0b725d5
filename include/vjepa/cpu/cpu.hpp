#pragma once

#include <string>
#include <type_traits>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cpu/attention.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/gather.hpp"
#include "vjepa/cpu/linalg.hpp"
#include "vjepa/cpu/losses.hpp"
#include "vjepa/cpu/memory.hpp"
#include "vjepa/cpu/pixels.hpp"
#include "vjepa/cpu/rows.hpp"
#include "vjepa/cpu/update.hpp"

namespace vjepa {

/// The host's processor: OpenMP threads over kernels that the compiler vectorises, products by `Gemm`.
///
/// `S` is float, double (for proofs) or bf16 (weights and activations in bfloat16; gradients of parameters,
/// master weights and statistics in float). A view's memory is the host's.
template <class S, class Gemm = cpu::EigenGemm>
struct Cpu : cpu::Memory,
             cpu::Linalg<S, Gemm>,
             cpu::Rows<S>,
             cpu::Attention<S, Gemm>,
             cpu::Pixels<S>,
             cpu::Gather<S>,
             cpu::Losses<S>,
             cpu::Update<S> {
  static_assert(std::is_same_v<S, float> || std::is_same_v<S, double> || std::is_same_v<S, bf16>,
                "vjepa::Cpu: the scalar must be float, double or vjepa::bf16");
  using Scalar = S;
  using Grad = cpu::Grad<S>;
  using Context = cpu::Context;

  /// For logs: "cpu, 2 threads, bfloat16, products by oneDNN".
  static std::string describe(const Context& ctx) {
    const char* scalar = std::is_same_v<S, float> ? "float32" : std::is_same_v<S, double> ? "float64" : "bfloat16";
    return text("cpu, ", ctx.threads(), ctx.threads() == 1 ? " thread, " : " threads, ", scalar, ", products by ",
                Gemm::name);
  }
};

static_assert(Device<Cpu<float>> && Device<Cpu<double>> && Device<Cpu<bf16>>);

}  // namespace vjepa
