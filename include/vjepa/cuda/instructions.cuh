#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "vjepa/core/bf16.hpp"

// Instructions that CUDA C++ has no function for, all of compute capability 8.0: those of tensor cores and asynchronous
// copies, and approximations of the special-function unit (PTX ISA, "Warp-level matrix instructions", "Data movement
// and conversion instructions: asynchronous copy", "Floating point instructions: ex2, rcp"). Every lane of a warp calls
// those of matrices together. A matrix of 8 x 8 of bf16 lies spread over the warp: lane l holds elements 2 (l % 4) and
// 2 (l % 4) + 1 of row l / 4.

namespace vjepa::cuda {

/// d [16, 8] += a [16, 16] b [16, 8] in float32. `a` is four matrices of 8 x 8: rows 0-7 and 8-15 of its first 8
/// columns, then of its last; `b` is two, its rows 0-7 and 8-15, each transposed; `d` holds rows 0-7, then 8-15.
__device__ inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// The same with a [16, 8] and b [8, 8]: `a` is rows 0-7 and 8-15.
__device__ inline void multiply_add(float (&d)[4], const std::uint32_t (&a)[2], std::uint32_t b) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b));
}

/// The nearest value with 10 bits after the point (TF32), ties away from zero.
__device__ inline float tf32_of(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

/// d [16, 8] += a [16, 8] b [8, 8] of TF32 in float32. Lane l has (l / 4, l % 4) of `a`, then that of eight rows below,
/// then those of four columns on; and (l % 4, l / 4) of `b`, then that of four rows below.
__device__ inline void multiply_add(float (&d)[4], const float (&a)[4], float b0, float b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b0)), "r"(__float_as_uint(b1)));
}

/// Four matrices of 8 x 8 from shared memory: lane l gives the address of row l % 8 of matrix l / 8, a multiple of 16
/// bytes.
__device__ inline void load_matrices(std::uint32_t (&m)[4], const bf16* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address)
               : "memory");
}

/// Two matrices, by the addresses of the first 16 lanes.
__device__ inline void load_matrices(std::uint32_t (&m)[2], const bf16* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(m[0]), "=r"(m[1])
               : "r"(address)
               : "memory");
}

/// The same as above, each matrix transposed.
__device__ inline void load_matrices_transposed(std::uint32_t (&m)[4], const bf16* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address)
               : "memory");
}

__device__ inline void load_matrices_transposed(std::uint32_t (&m)[2], const bf16* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(m[0]), "=r"(m[1])
               : "r"(address)
               : "memory");
}

/// Both values rounded to bf16, the first in the lower half.
__device__ inline std::uint32_t pair_of(float first, float second) {
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

/// 2 to this power, to two units in the last place; a result below the normal numbers is 0.
__device__ inline float exp2_approx(float power) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(power));
  return result;
}

/// 1 / x, to one unit in the last place.
__device__ inline float reciprocal_approx(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// Begins to copy 16 bytes from global to shared memory, or zeros where there is nothing to copy. `commit_copies`
/// closes a group of copies; `wait_copies<n>` waits until at most the n newest groups of this thread are under way.
__device__ inline void copy_async(void* shared, const void* global, bool there) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(global), "r"(there ? 16 : 0)
               : "memory");
}
__device__ inline void commit_copies() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}
template <int newest>
__device__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" : : "n"(newest) : "memory");
}

}  // namespace vjepa::cuda
