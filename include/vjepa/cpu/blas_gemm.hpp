#pragma once

#include <cblas.h>

#include <type_traits>

#include "vjepa/cpu/eigen_gemm.hpp"

// OpenBLAS's own control of its threads; another BLAS does not have it.
extern "C" [[gnu::weak]] void openblas_set_num_threads(int);

namespace vjepa::cpu {

/// The products of a CBLAS library, for float and double.
struct BlasGemm {
  static constexpr const char* name = "BLAS";

  template <class T>
  static constexpr bool supports = std::is_floating_point_v<T>;

  template <class T>
  static void multiply(const Operand<T>& a, const Operand<T>& b, Index m, Index n, Index k, bool accumulate, T* c,
                       Index c_stride) {
    static const bool single_threaded = stay_on_one_thread();
    static_cast<void>(single_threaded);
    const auto order = [](bool transposed) { return transposed ? CblasTrans : CblasNoTrans; };
    const auto size = [](Index i) { return static_cast<int>(i); };
    if constexpr (std::is_same_v<T, float>) {
      cblas_sgemm(CblasRowMajor, order(a.transposed), order(b.transposed), size(m), size(n), size(k), 1.0f, a.data,
                  size(a.stride), b.data, size(b.stride), accumulate ? 1.0f : 0.0f, c, size(c_stride));
    } else {
      cblas_dgemm(CblasRowMajor, order(a.transposed), order(b.transposed), size(m), size(n), size(k), 1.0, a.data,
                  size(a.stride), b.data, size(b.stride), accumulate ? 1.0 : 0.0, c, size(c_stride));
    }
  }

 private:
  /// The CPU device calls from its own threads; a library that started more under each would slow all down.
  static bool stay_on_one_thread() {
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
    return true;
  }
};

}  // namespace vjepa::cpu
