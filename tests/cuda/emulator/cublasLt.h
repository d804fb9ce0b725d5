#pragma once

// <cublasLt.h> for a host compiler, as far as vjepa/cuda/products.hpp calls it: column-major products by plain loops.

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vjepa/core/bf16.hpp"

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_ARCH_MISMATCH = 8,
  CUBLAS_STATUS_NOT_SUPPORTED = 15
};
enum cublasComputeType_t { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32 };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cudaDataType { CUDA_R_32F = 0, CUDA_R_16BF = 14 };
enum cublasLtEpilogue_t { CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_BIAS = 4, CUBLASLT_EPILOGUE_BGRADB = 512 };
enum { CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };
enum cublasLtMatmulDescAttributes_t {
  CUBLASLT_MATMUL_DESC_TRANSA,
  CUBLASLT_MATMUL_DESC_TRANSB,
  CUBLASLT_MATMUL_DESC_EPILOGUE,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER,
  CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE
};
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
};

struct cublasLtMatmulAlgo_t {
  std::uintptr_t bias_alignment;  // of the pointer that it was chosen with
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  cublasStatus_t state;
};
struct EmulatedMatmul {
  cublasComputeType_t compute;
  cublasOperation_t a = CUBLAS_OP_N;
  cublasOperation_t b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
  cudaDataType bias_type = CUDA_R_32F;
};
struct EmulatedLayout {
  cudaDataType type;
  std::uint64_t rows;
  std::uint64_t cols;
  std::int64_t stride;
};
struct EmulatedPreference {
  std::uint32_t alignment = 256;
};
using cublasLtHandle_t = OfDevice*;
using cublasLtMatmulDesc_t = EmulatedMatmul*;
using cublasLtMatrixLayout_t = EmulatedLayout*;
using cublasLtMatmulPreference_t = EmulatedPreference*;

inline const char* cublasLtGetStatusString(cublasStatus_t) {
  return "refused by the emulator";
}
inline std::size_t cublasLtGetVersion() {
  return 0;
}
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new OfDevice;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute, cudaDataType) {
  *desc = new EmulatedMatmul{.compute = compute};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                                     cublasLtMatmulDescAttributes_t attribute, const void* value,
                                                     std::size_t bytes) {
  void* const fields[] = {&desc->a, &desc->b, &desc->epilogue, &desc->bias, &desc->bias_type};
  std::memcpy(fields[attribute], value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, std::uint64_t rows,
                                                 std::uint64_t cols, std::int64_t stride) {
  *layout = new EmulatedLayout{type, rows, cols, stride};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new EmulatedPreference;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                           cublasLtMatmulPreferenceAttributes_t attribute,
                                                           const void* value, std::size_t) {
  if (attribute >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES) std::memcpy(&preference->alignment, value, 4);
  return CUBLAS_STATUS_SUCCESS;
}

/// The bytes, at most 16, that the address is a multiple of.
inline std::uintptr_t emulated_alignment(const void* data) {
  const std::uintptr_t bits = reinterpret_cast<std::uintptr_t>(data) | 16;
  return bits & -bits;
}

/// Knows every product, but TF32 of float32 alone, and for memory that is not aligned to 16 bytes no bias gradient: as
/// a library may.
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                                     cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                     cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                                     cublasLtMatmulPreference_t preference, int,
                                                     cublasLtMatmulHeuristicResult_t* result, int* count) {
  if (!handle->is_current()) return CUBLAS_STATUS_ARCH_MISMATCH;
  const bool a_transposed = desc->a == CUBLAS_OP_T;
  const bool b_transposed = desc->b == CUBLAS_OP_T;
  const bool fits = (a_transposed ? a->cols : a->rows) == d->rows && (b_transposed ? b->rows : b->cols) == d->cols &&
                    (a_transposed ? a->rows : a->cols) == (b_transposed ? b->cols : b->rows);
  const bool computes = desc->compute == CUBLAS_COMPUTE_32F || a->type == CUDA_R_32F;
  if (!fits || !computes || (desc->epilogue == CUBLASLT_EPILOGUE_BGRADB && preference->alignment < 16)) {
    *count = 0;
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  result->algo = {.bias_alignment = emulated_alignment(desc->bias)};
  result->state = CUBLAS_STATUS_SUCCESS;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void* alpha,
                                     const void* a, cublasLtMatrixLayout_t a_shape, const void* b,
                                     cublasLtMatrixLayout_t b_shape, const void* beta, const void* c,
                                     cublasLtMatrixLayout_t c_shape, void* d, cublasLtMatrixLayout_t d_shape,
                                     const cublasLtMatmulAlgo_t* algorithm, void*, std::size_t, cudaStream_t) {
  if (!handle->is_current()) return CUBLAS_STATUS_ARCH_MISMATCH;
  if (emulated_alignment(product->bias) < algorithm->bias_alignment) return CUBLAS_STATUS_INVALID_VALUE;
  const float scale = *static_cast<const float*>(alpha);
  const float keep = *static_cast<const float*>(beta);
  emulator::run_or_record([=, desc = *product, a_layout = *a_shape, b_layout = *b_shape, c_layout = *c_shape,
                           d_layout = *d_shape] {
    const emulator::DeviceMemory::Access access;
    const auto get = [](const void* data, cudaDataType type, std::int64_t i) {
      return type == CUDA_R_32F ? static_cast<const float*>(data)[i]
                                : static_cast<float>(static_cast<const vjepa::bf16*>(data)[i]);
    };
    const auto set = [](void* data, cudaDataType type, std::int64_t i, float value) {
      if (type == CUDA_R_32F) {
        static_cast<float*>(data)[i] = value;
      } else {
        static_cast<vjepa::bf16*>(data)[i] = vjepa::bf16(value);
      }
    };
    const auto element = [&](const void* data, const EmulatedLayout& layout, bool transposed, std::int64_t row,
                             std::int64_t column) {
      return get(data, layout.type, transposed ? row * layout.stride + column : column * layout.stride + row);
    };
    const auto rows = static_cast<std::int64_t>(d_layout.rows);
    const auto cols = static_cast<std::int64_t>(d_layout.cols);
    const auto depth = static_cast<std::int64_t>(desc.a == CUBLAS_OP_T ? a_layout.rows : a_layout.cols);
    for (std::int64_t j = 0; j < cols; ++j) {
      for (std::int64_t i = 0; i < rows; ++i) {
        float sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += element(a, a_layout, desc.a == CUBLAS_OP_T, i, k) * element(b, b_layout, desc.b == CUBLAS_OP_T, k, j);
        }
        sum *= scale;
        if (keep != 0) sum += keep * element(c, c_layout, false, i, j);
        if (desc.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += get(desc.bias, desc.bias_type, i);
        set(d, d_layout.type, j * d_layout.stride + i, sum);
      }
      if (desc.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
        float sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) sum += element(b, b_layout, desc.b == CUBLAS_OP_T, k, j);
        set(desc.bias, desc.bias_type, j, sum);
      }
    }
  });
  emulator::leave_device();
  return CUBLAS_STATUS_SUCCESS;
}
