#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <type_traits>
#include <unordered_map>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// oneDNN's products: float by its gemm, bf16 by its matmul primitive with a float result, which uses the
/// processor's bf16 instructions where there are any. double goes to Eigen: oneDNN has none.
struct OneDnnGemm {
  static constexpr const char* name = "oneDNN";

  template <class T>
  static constexpr bool supports = true;

  template <class T>
  static void multiply(const Operand<T>& a, const Operand<T>& b, Index m, Index n, Index k, bool accumulate, Grad<T>* c,
                       Index c_stride) {
    if constexpr (std::is_same_v<T, double>) {
      EigenGemm::multiply(a, b, m, n, k, accumulate, c, c_stride);
    } else if constexpr (std::is_same_v<T, float>) {
      const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0f, a.data,
                                              a.stride, b.data, b.stride, accumulate ? 1.0f : 0.0f, c, c_stride);
      if (status != dnnl_success) fail("vjepa::OneDnnGemm: oneDNN refused a product, status ", status);
    } else {
      Matmul::of({m, n, k, a.stride, b.stride, c_stride, a.transposed, b.transposed, accumulate})
          .run(a.data, b.data, c);
    }
  }

 private:
  /// A compiled bf16 product of one shape. Building one costs as much as a small product, so each thread keeps
  /// those it has built.
  class Matmul {
   public:
    // m, n, k, the strides of a, b and c, whether a and b are transposed, whether to accumulate
    using Shape = std::array<Index, 9>;

    static Matmul& of(const Shape& shape) {
      // A thread meets a few shapes for each size of batch; the bound only guards against a caller that never
      // repeats one.
      constexpr std::size_t most = 1024;
      thread_local std::unordered_map<Shape, Matmul, Hash> built;
      const auto found = built.find(shape);
      if (found != built.end()) return found->second;
      if (built.size() >= most) built.clear();
      return built.try_emplace(shape, shape).first->second;
    }

    explicit Matmul(const Shape& s)
        : engine_(dnnl::engine::kind::cpu, 0),
          stream_(engine_),
          a_({s[0], s[2]}, Type::bf16, strides(s[3], s[6] != 0)),
          b_({s[2], s[1]}, Type::bf16, strides(s[4], s[7] != 0)),
          c_({s[0], s[1]}, Type::f32, strides(s[5], false)),
          matmul_({{a_, b_, c_}, attributes(s[8] != 0), engine_}) {}

    void run(const bf16* a, const bf16* b, float* c) {
      // oneDNN takes all memory as mutable; it only reads the operands.
      matmul_.execute(stream_, {{DNNL_ARG_SRC, dnnl::memory(a_, engine_, const_cast<bf16*>(a))},
                                {DNNL_ARG_WEIGHTS, dnnl::memory(b_, engine_, const_cast<bf16*>(b))},
                                {DNNL_ARG_DST, dnnl::memory(c_, engine_, c)}});
      stream_.wait();
    }

   private:
    using Type = dnnl::memory::data_type;

    struct Hash {
      std::size_t operator()(const Shape& shape) const {
        std::size_t h = 0;
        for (const Index i : shape) h = h * 0x9e3779b97f4a7c15u + std::hash<Index>{}(i);
        return h;
      }
    };

    static dnnl::memory::dims strides(Index stride, bool transposed) {
      return transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1};
    }
    static dnnl::primitive_attr attributes(bool accumulate) {
      dnnl::primitive_attr attributes;
      if (accumulate) {
        dnnl::post_ops add;
        add.append_sum(1.0f);
        attributes.set_post_ops(add);
      }
      return attributes;
    }

    dnnl::engine engine_;
    dnnl::stream stream_;
    dnnl::memory::desc a_;
    dnnl::memory::desc b_;
    dnnl::memory::desc c_;
    dnnl::matmul matmul_;
  };
};

}  // namespace vjepa::cpu
