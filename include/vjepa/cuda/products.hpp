#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <source_location>

#include "vjepa/core/bf16.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/cuda/resource.hpp"

namespace vjepa::cuda {

inline void check(const char* call, cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(call, " failed: ", cublasLtGetStatusString(status));
}

template <class T>
inline constexpr cudaDataType data_type = CUDA_R_32F;
template <>
inline constexpr cudaDataType data_type<bf16> = CUDA_R_16BF;

/// A product of row-major matrices, d [m, n] = a [m, k] b [k, n], as far as choosing an algorithm for it goes. A
/// transposed operand lies in memory as [k, m] or [n, k].
struct ProductShape {
  enum class Epilogue {
    none,
    add_bias,    // d[i, j] += extra[j]
    sum_a_rows,  // extra[i] = sum over l of a[i, l]
  };

  Index m;
  Index n;
  Index k;
  Index a_stride;
  Index b_stride;
  Index c_stride;
  Index d_stride;
  bool a_transposed;
  bool b_transposed;
  bool adds_c;  // d = c + a b, and c may be d
  cudaDataType factor_type;
  cudaDataType result_type;
  Epilogue epilogue;
  std::uint32_t alignment;  // bytes, that all matrices and the bias have

  auto operator<=>(const ProductShape&) const = default;
};

/// cuBLASLt's products, each with the algorithm that its heuristics name first for the shape: the same one in every
/// run on the same card and library. Sums are float32; those that are cut in pieces are added in a separate pass, never
/// by atomics.
///
/// cuBLASLt thinks in columns. A row-major matrix is the transpose of the column-major matrix in the same memory, so
/// that d = a b is computed as dᵀ = bᵀ aᵀ: its A is b, its B is a, and its bias, which runs along the rows of dᵀ, runs
/// along the columns of d.
class Products {
 public:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper

  /// `workspace` is device memory of workspace_bytes.
  Products(bool tf32, void* workspace) : tf32_(tf32), workspace_(workspace) {
    cublasLtHandle_t handle = nullptr;
    check("cublasLtCreate", cublasLtCreate(&handle));
    handle_.reset(handle);
  }

  void* workspace() const { return workspace_; }

  /// Whether cuBLASLt has an algorithm for the shape.
  bool supports(const ProductShape& shape) { return plan(shape).found; }

  /// d = a b, plus c where the shape says so. `extra` is what the epilogue reads or writes, of the result's type.
  /// Throws Error when cuBLASLt has no algorithm for it.
  void run(cudaStream_t stream, const ProductShape& shape, const void* a, const void* b, const void* c, void* d,
           const void* extra) {
    const Plan& p = plan(shape);
    if (!p.found) {
      fail("cuBLASLt has no algorithm for a product [", shape.m, ", ", shape.k, "] x [", shape.k, ", ", shape.n,
           "] of memory aligned to ", shape.alignment, " bytes");
    }
    if (extra != nullptr) set(p.product.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, extra);
    const float one = 1;
    const float keep = shape.adds_c ? 1 : 0;
    check("cublasLtMatmul",
          cublasLtMatmul(handle_.get(), p.product.get(), &one, b, p.a.get(), a, p.b.get(), &keep, shape.adds_c ? c : d,
                         p.c.get(), d, p.d.get(), &p.algorithm, workspace_, workspace_bytes, stream));
  }

 private:
  struct Plan {
    Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> product;
    Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> a;  // cuBLASLt's A: our b
    Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> b;
    Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> c;
    Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> d;
    cublasLtMatmulAlgo_t algorithm{};
    bool found = false;
  };

  template <class T>
  static void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, const T& value) {
    check("cublasLtMatmulDescSetAttribute", cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof(value)));
  }
  template <class T>
  static void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
                  const T& value) {
    check("cublasLtMatmulPreferenceSetAttribute",
          cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
  }

  /// A column-major matrix of `rows` contiguous values in each of `cols` columns.
  static cublasLtMatrixLayout_t layout(cudaDataType type, Index rows, Index cols, Index stride) {
    cublasLtMatrixLayout_t made = nullptr;
    check("cublasLtMatrixLayoutCreate", cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                                                   static_cast<std::uint64_t>(cols), stride));
    return made;
  }

  const Plan& plan(const ProductShape& shape) {
    const auto known = plans_.find(shape);
    if (known != plans_.end()) return known->second;
    // Which tokens a mask keeps changes from step to step, and with it the shapes; the bound only guards against a
    // caller that never repeats one.
    constexpr std::size_t most = 16384;
    if (plans_.size() >= most) plans_.clear();
    return plans_.emplace(shape, made(shape)).first->second;
  }

  Plan made(const ProductShape& s) const {
    Plan p;
    const bool tf32 = tf32_ && s.factor_type == CUDA_R_32F;  // it is no way to multiply bf16
    const cublasComputeType_t compute = tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasLtMatmulDesc_t product = nullptr;
    check("cublasLtMatmulDescCreate", cublasLtMatmulDescCreate(&product, compute, CUDA_R_32F));
    p.product.reset(product);
    set(product, CUBLASLT_MATMUL_DESC_TRANSA, s.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(product, CUBLASLT_MATMUL_DESC_TRANSB, s.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (s.epilogue != ProductShape::Epilogue::none) {
      const bool bias = s.epilogue == ProductShape::Epilogue::add_bias;
      set(product, CUBLASLT_MATMUL_DESC_EPILOGUE, bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_BGRADB);
      set(product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, s.result_type);
      // The heuristics read its alignment, and without a pointer may find nothing.
      const void* const as_aligned = static_cast<const std::byte*>(workspace_) + (bias ? s.alignment % 16 : 0);
      set(product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, as_aligned);
    }
    p.a.reset(layout(s.factor_type, s.b_transposed ? s.k : s.n, s.b_transposed ? s.n : s.k, s.b_stride));
    p.b.reset(layout(s.factor_type, s.a_transposed ? s.m : s.k, s.a_transposed ? s.k : s.m, s.a_stride));
    p.c.reset(layout(s.result_type, s.n, s.m, s.adds_c ? s.c_stride : s.d_stride));
    p.d.reset(layout(s.result_type, s.n, s.m, s.d_stride));

    cublasLtMatmulPreference_t preference = nullptr;
    check("cublasLtMatmulPreferenceCreate", cublasLtMatmulPreferenceCreate(&preference));
    const Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> owner(preference);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_bytes});
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto matrix : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      set(preference, matrix, s.alignment);
    }
    cublasLtMatmulHeuristicResult_t best{};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle_.get(), product, p.a.get(), p.b.get(),
                                                                 p.c.get(), p.d.get(), preference, 1, &best, &count);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check("cublasLtMatmulAlgoGetHeuristic", status);
    p.found = status == CUBLAS_STATUS_SUCCESS && count > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    p.algorithm = best.algo;
    return p;
  }

  bool tf32_;
  void* workspace_;
  Handle<cublasLtHandle_t, cublasLtDestroy> handle_;
  std::map<ProductShape, Plan> plans_;
};

}  // namespace vjepa::cuda
