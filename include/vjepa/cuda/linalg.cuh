#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cassert>
#include <cstdint>

#include "vjepa/core/device.hpp"
#include "vjepa/cuda/context.cuh"
#include "vjepa/cuda/gelu.cuh"
#include "vjepa/cuda/products.cuh"
#include "vjepa/cuda/sums.cuh"

namespace vjepa::cuda {

/// Products with weights by cuBLASLt, with the bias, the residual and the gradient of the bias in its epilogues.
///
/// GELU is a kernel of its own after the product: cuBLASLt's GELU epilogues compute the tanh form, which differs from
/// the exact one of the model by up to 5e-4. So `linear_gelu` takes GELU of what was rounded to S, as the backward pass
/// does, and `linear_backward_data_gelu` rounds twice, before and after the factor.
template <class S>
struct Linalg {
  static void linear(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> y) {
    product(ctx, rows_of(x), transposed(w), x.cols(), Mat<const S>(), y, Epilogue::add_bias, bias.data());
  }

  static void linear_residual(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<const S> skip,
                              Mat<S> y) {
    product(ctx, rows_of(x), transposed(w), x.cols(), skip, y, Epilogue::add_bias, bias.data());
  }

  static void linear_gelu(Context& ctx, Mat<const S> x, Mat<const S> w, Vec<const S> bias, Mat<S> pre, Mat<S> y) {
    const Mat<S> before = pre.empty() ? y : pre;
    linear(ctx, x, w, bias, before);
    gelu<S>(ctx, before, y);
  }

  static void linear_backward_data(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<S> dx) {
    product(ctx, rows_of(dy), rows_of(w), dy.cols(), Mat<const S>(), dx, Epilogue::none, nullptr);
  }

  static void linear_backward_weights(Context& ctx, Mat<const S> x, Mat<const S> dy, Mat<float> dw, Vec<float> db) {
    assert(x.rows() == dy.rows());
    if (dw.size() == 0 || x.rows() == 0) return;
    ProductShape shape = shape_of(transposed(dy), rows_of(x), x.rows(), Mat<const float>(dw), dw);
    shape.epilogue = Epilogue::sum_a_rows;
    if (!db.empty() && ctx.products().supports(shape)) {
      // The epilogue overwrites, and db accumulates.
      const Mat<float> sums(ctx.scratch<float>(db.size()), 1, db.size());
      ctx.products().run(ctx.stream(), shape, dy.data(), x.data(), dw.data(), dw.data(), sums.data());
      add_partials(ctx, sums, db);
    } else {
      shape.epilogue = Epilogue::none;
      ctx.products().run(ctx.stream(), shape, dy.data(), x.data(), dw.data(), dw.data(), nullptr);
      if (!db.empty()) {
        add_column_sums(ctx, Seq<const S>(dy.data(), dy.rows(), 1, dy.cols()).with_stride(dy.stride()), db);
      }
    }
  }

  static void linear_backward_data_gelu(Context& ctx, Mat<const S> dy, Mat<const S> w, Mat<const S> pre, Mat<S> dx,
                                        Vec<float> db, Mat<S> active) {
    linear_backward_data(ctx, dy, w, dx);
    gelu_backward(ctx, pre, dx, db, active);
  }

 private:
  using Epilogue = ProductShape::Epilogue;

  struct Operand {
    const S* data;
    Index stride;
    bool transposed;
  };
  static Operand rows_of(Mat<const S> x) { return {x.data(), x.stride(), false}; }
  static Operand transposed(Mat<const S> x) { return {x.data(), x.stride(), true}; }

  template <class T>
  static ProductShape shape_of(Operand a, Operand b, Index k, Mat<const T> c, Mat<T> d) {
    std::uintptr_t used = reinterpret_cast<std::uintptr_t>(a.data) | reinterpret_cast<std::uintptr_t>(b.data) |
                          reinterpret_cast<std::uintptr_t>(c.data()) | reinterpret_cast<std::uintptr_t>(d.data());
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
            .epilogue = Epilogue::none,
            .alignment = alignment};
  }

  /// d [m, n] = a [m, k] b [k, n] + c, an empty c being 0.
  static void product(Context& ctx, Operand a, Operand b, Index k, Mat<const S> c, Mat<S> d, Epilogue epilogue,
                      const S* extra) {
    if (d.size() == 0) return;
    ProductShape shape = shape_of(a, b, k, c, d);
    shape.epilogue = epilogue;
    ctx.products().run(ctx.stream(), shape, a.data, b.data, c.data(), d.data(), extra);
  }
};

}  // namespace vjepa::cuda
