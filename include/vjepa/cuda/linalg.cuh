#pragma once

#include <cuda_runtime.h>

#include <cassert>
#include <cstdint>

#include "vjepa/cuda/gelu.cuh"
#include "vjepa/cuda/linalg.hpp"
#include "vjepa/cuda/products.hpp"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// A factor of a product.
template <class S>
struct Operand {
  const S* data;
  Index stride;
  bool transposed;
};
template <class S>
Operand<S> rows_of(Mat<const S> x) {
  return {x.data(), x.stride(), false};
}
template <class S>
Operand<S> transposed(Mat<const S> x) {
  return {x.data(), x.stride(), true};
}

/// `bias` is null where the epilogue reads none.
template <class S, class T>
ProductShape shape_of(Operand<S> a, Operand<S> b, Index k, Mat<const T> c, Mat<T> d, ProductShape::Epilogue epilogue,
                      const T* bias) {
  std::uintptr_t used = reinterpret_cast<std::uintptr_t>(a.data) | reinterpret_cast<std::uintptr_t>(b.data) |
                        reinterpret_cast<std::uintptr_t>(c.data()) | reinterpret_cast<std::uintptr_t>(d.data()) |
                        reinterpret_cast<std::uintptr_t>(bias);
  std::uint32_t alignment = 16;  // no algorithm asks for more
  while (used % alignment != 0) alignment /= 2;
  return {.m = d.rows(),
          .n = d.cols(),
          .k = k,
          .a_stride = a.stride,
          .b_stride = b.stride,
          .c_stride = c.stride(),
          .d_stride = d.stride(),
          .a_transposed = a.transposed,
          .b_transposed = b.transposed,
          .adds_c = !c.empty(),
          .factor_type = data_type<S>,
          .result_type = data_type<T>,
          .epilogue = epilogue,
          .alignment = alignment};
}

/// d [m, n] = a [m, k] b [k, n] + c, an empty c being 0.
template <class S>
void product(Context& ctx, Operand<S> a, Operand<S> b, Index k, Mat<const S> c, Mat<S> d,
             ProductShape::Epilogue epilogue, const S* bias) {
  if (d.size() == 0) return;
  ctx.products().run(ctx.stream(), shape_of(a, b, k, c, d, epilogue, bias), a.data, b.data, c.data(), d.data(), bias);
}

template <class S>
void Linalg<S>::linear(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> y) {
  linear_residual(ctx, x, w, bias, Mat<const S>(), y);
}

template <class S>
void Linalg<S>::linear_residual(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<const S> skip,
                                Mat<S> y) {
  product(ctx, rows_of(x), transposed(w), x.cols(), skip, y, ProductShape::Epilogue::add_bias, bias.data());
}

template <class S>
void Linalg<S>::linear_gelu(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> pre, Mat<S> y) {
  const Mat<S> before = pre.empty() ? y : pre;
  linear(ctx, x, w, bias, before);
  gelu<S>(ctx, before, y);
}

template <class S>
void Linalg<S>::linear_backward_data(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<S> dx) {
  product<S>(ctx, rows_of(dy), rows_of(w), dy.cols(), {}, dx, ProductShape::Epilogue::none, nullptr);
}

template <class S>
void Linalg<S>::linear_backward_weights(Context& ctx, Mat<const S> x, Mat<const S> dy, Mat<float> dw, Vec<float> db) {
  assert(x.rows() == dy.rows());
  if (dw.size() == 0 || x.rows() == 0) return;
  ProductShape shape =
      shape_of<S, float>(transposed(dy), rows_of(x), x.rows(), dw, dw, ProductShape::Epilogue::sum_a_rows, nullptr);
  if (!db.empty() && ctx.products().supports(shape)) {
    // The epilogue overwrites, and db accumulates.
    const Mat<float> sums(ctx.scratch<float>(db.size()), 1, db.size());
    ctx.products().run(ctx.stream(), shape, dy.data(), x.data(), dw.data(), dw.data(), sums.data());
    add_partials(ctx, sums, db);
  } else {
    shape.epilogue = ProductShape::Epilogue::none;
    ctx.products().run(ctx.stream(), shape, dy.data(), x.data(), dw.data(), dw.data(), nullptr);
    if (!db.empty()) {
      add_column_sums(ctx, Seq<const S>(dy.data(), dy.rows(), 1, dy.cols()).with_stride(dy.stride()), db);
    }
  }
}

template <class S>
void Linalg<S>::linear_backward_data_gelu(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<const S> pre, Mat<S> dx,
                                          Vec<float> db, Mat<S> active) {
  linear_backward_data(ctx, dy, w, dx);
  gelu_backward(ctx, pre, dx, db, active);
}

}  // namespace vjepa::cuda
