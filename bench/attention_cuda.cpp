// Attention on the first GPU: each policy's forward and backward pass, for the heads of models and predictors, and what
// float32 costs.
#include <cstdio>
#include <exception>

#include "measure.hpp"
#include "program_cuda.hpp"
#include "step.hpp"
#include "vjepa/core/arena.hpp"

using namespace vjepa;

namespace {

struct Passes {
  bench::Timing forward;
  bench::Timing backward;
  double first = 0;  // seconds of the first call, with what is prepared for a shape
};

template <class D>
Passes passes(Context<D>& ctx, const AttentionShape& s) {
  using S = Scalar<D>;
  const Index width = s.heads * s.head_dim;
  const Index rows = s.batch * s.queries;
  const auto qkv = bench::random_values<D, S>(ctx, rows * 3 * width);
  const auto dout = bench::random_values<D, S>(ctx, rows * width);
  const Array<D, S> out(ctx, rows * width);
  const Array<D, S> dqkv(ctx, rows * 3 * width);
  const Array<D, float> lse(ctx, s.batch * s.heads * s.queries);
  const auto part = [&](const Array<D, S>& all, Index which) {
    return Mat<S>(all.data() + which * width, rows, width).with_stride(3 * width);
  };
  const Mat<float> kept(lse.data(), s.batch * s.heads, s.queries);
  const Mat<S> o(out.data(), rows, width);
  const Mat<const S> d(dout.data(), rows, width);
  const auto forward = [&] { D::attention(ctx, s, part(qkv, 0), part(qkv, 1), part(qkv, 2), o, kept); };
  const auto backward = [&] {
    D::attention_backward(ctx, s, part(qkv, 0), part(qkv, 1), part(qkv, 2), o, kept, d, part(dqkv, 0), part(dqkv, 1),
                          part(dqkv, 2));
  };
  Passes p;
  p.first = bench::repeat(1, [&] {
              forward();
              D::synchronize(ctx);
            }).front();
  p.forward = bench::measure_on<D>(ctx, forward, 0.05);
  p.backward = bench::measure_on<D>(ctx, backward, 0.05);
  return p;
}

int run() {
  cuda::Context ctx;
  std::printf("%s\n\n", ProgramCuda<bf16>::describe(ctx).c_str());
  std::printf(
      "| batch x heads x tokens x head | forward, own: ms | TFLOP/s | forward, programs: ms | TFLOP/s | first call, ms "
      "| backward: ms | TFLOP/s | float32 forward: ms | TFLOP/s | backward: ms | TFLOP/s |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Index head_dim : {24, 32, 64, 80, 88, 104, 128}) {
    for (const Index tokens : {437, 1568}) {
      const AttentionShape s{.batch = 24, .heads = 16, .queries = tokens, .keys = tokens, .head_dim = head_dim};
      const double product =
          2e-12 * static_cast<double>(s.batch * s.heads * head_dim) * static_cast<double>(tokens * tokens);
      const Passes own = passes<Cuda<bf16>>(ctx, s);
      const Passes programs = passes<ProgramCuda<bf16>>(ctx, s);
      const Passes full = passes<Cuda<float>>(ctx, s);
      std::printf(
          "| %td x %td x %td x %td | %.3f | %.0f | %.3f | %.0f | %.1f | %.3f | %.0f | %.3f | %.0f | %.3f | %.0f |\n",
          s.batch, s.heads, tokens, head_dim, 1e3 * own.forward.median, 2 * product / own.forward.median,
          1e3 * programs.forward.median, 2 * product / programs.forward.median, 1e3 * programs.first,
          1e3 * own.backward.median, 5 * product / own.backward.median, 1e3 * full.forward.median,
          2 * product / full.forward.median, 1e3 * full.backward.median, 5 * product / full.backward.median);
    }
  }
  return 0;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_attention_cuda: %s\n", e.what());
    return 1;
  }
}
