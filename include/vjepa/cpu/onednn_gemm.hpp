#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "vjepa/core/bf16.hpp"
#include "vjepa/cpu/eigen_gemm.hpp"
#include "vjepa/cpu/math.hpp"

namespace vjepa::cpu {

/// oneDNN's products, by its matmul primitive with a float result; for bf16 it uses the processor's bf16 instructions
/// where there are any. double goes to Eigen: oneDNN has none. On processors without AVX-512 it may have none of bf16
/// either, which is then multiplied as float.
struct OneDnnGemm {
  static constexpr const char* name = "oneDNN";

  template <class T>
  static constexpr bool supports = true;

  template <class T>
  static void multiply(const Operand<T>& a, const Operand<T>& b, Index m, Index n, Index k, bool accumulate, Grad<T>* c,
                       Index c_stride) {
    if constexpr (std::is_same_v<T, double>) {
      EigenGemm::multiply(a, b, m, n, k, accumulate, c, c_stride);
    } else if (std::is_same_v<T, bf16> && !multiplies_bf16()) {
      thread_local std::vector<float> copies;
      copies.resize(static_cast<std::size_t>((m + n) * k));
      const Operand<float> left = widened(a, m, k, copies.data());
      const Operand<float> right = widened(b, k, n, copies.data() + m * k);
      multiply(left, right, m, n, k, accumulate, c, c_stride);
    } else {
      Matmul<T>::of({m, n, k, a.stride, b.stride, c_stride, a.transposed, b.transposed, accumulate})
          .run(a.data, b.data, c);
    }
  }

 private:
  static bool multiplies_bf16() {
    static const bool known = [] {
      try {
        const Matmul<bf16> smallest({1, 1, 1, 1, 1, 1, false, false, false});
        return true;
      } catch (const dnnl::error&) {
        return false;
      }
    }();
    return known;
  }

  /// Keeps signals from the thread as long as it lives; they come when it ends.
  class SignalsHeld {
   public:
    SignalsHeld() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsHeld(const SignalsHeld&) = delete;
    ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

   private:
    sigset_t before_;
  };

  /// A compiled product of one shape. Building one costs as much as a small product, so each thread keeps those it has
  /// built.
  template <class T>
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

    explicit Matmul(const Shape& s) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
      const dnnl::memory::desc a({s[0], s[2]}, type, strides(s[3], s[6] != 0));
      const dnnl::memory::desc b({s[2], s[1]}, type, strides(s[4], s[7] != 0));
      const dnnl::memory::desc c({s[0], s[1]}, Type::f32, strides(s[5], false));
      const auto attributes = adding(s[8] != 0);
#if DNNL_VERSION_MAJOR >= 3
      const dnnl::matmul::primitive_desc chosen(engine_, a, b, c, attributes);
#else
      const dnnl::matmul::primitive_desc chosen({a, b, c}, attributes, engine_);
#endif
      matmul_ = dnnl::matmul(chosen);
      operands_ = {{DNNL_ARG_SRC, dnnl::memory(a, engine_, nullptr)},
                   {DNNL_ARG_WEIGHTS, dnnl::memory(b, engine_, nullptr)},
                   {DNNL_ARG_DST, dnnl::memory(c, engine_, nullptr)}};
      moves_stack_ = older_than_3_11_2 && std::string_view(chosen.impl_info_str()).starts_with("gemm");
    }

    void run(const T* a, const T* b, float* c) {
      std::optional<SignalsHeld> held;
      if (moves_stack_) held.emplace();
      // oneDNN takes all memory as mutable; it only reads the factors.
      operands_.at(DNNL_ARG_SRC).set_data_handle(const_cast<T*>(a));
      operands_.at(DNNL_ARG_WEIGHTS).set_data_handle(const_cast<T*>(b));
      operands_.at(DNNL_ARG_DST).set_data_handle(c);
      matmul_.execute(stream_, operands_);
      stream_.wait();
    }

   private:
    using Type = dnnl::memory::data_type;

    static constexpr Type type = std::is_same_v<T, float> ? Type::f32 : Type::bf16;

    // Before 3.11.2 oneDNN's gemm kernels keep the stack pointer in the heap for a while, where a signal handler would
    // overwrite what lies below (https://github.com/uxlfoundation/oneDNN/issues/4845).
    static constexpr bool older_than_3_11_2 =
        DNNL_VERSION_MAJOR * 10000 + DNNL_VERSION_MINOR * 100 + DNNL_VERSION_PATCH < 31102;

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
    static dnnl::primitive_attr adding(bool accumulate) {
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
    dnnl::matmul matmul_;
    std::unordered_map<int, dnnl::memory> operands_;  // made once: making them costs as much as a small product
    bool moves_stack_;
  };
};

}  // namespace vjepa::cpu
