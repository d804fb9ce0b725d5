// The rates that the product policies of this build reach on the shapes of a transformer, through the CPU device: all
// threads, GFLOP/s, median and spread.

#include <cstdio>
#include <vector>

#include "measure.hpp"
#include "program_gemm.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

namespace {

struct Shape {
  const char* what;
  Index tokens;
  Index in;
  Index out;
};

template <class D>
void rate(const Shape& s) {
  using S = Scalar<D>;
  using T = Grad<D>;
  typename D::Context ctx;
  const std::vector<S> x(static_cast<std::size_t>(s.tokens * s.in), S(0.5f));
  const std::vector<S> w(static_cast<std::size_t>(s.out * s.in), S(0.5f));
  const std::vector<S> b(static_cast<std::size_t>(s.out), S(0.5f));
  std::vector<S> y(static_cast<std::size_t>(s.tokens * s.out), S(0.5f));
  std::vector<S> dx(x.size());
  std::vector<T> dw(w.size());
  std::vector<T> db(b.size());
  const Mat<const S> xv(x.data(), s.tokens, s.in);
  const Mat<const S> wv(w.data(), s.out, s.in);
  const Mat<S> yv(y.data(), s.tokens, s.out);
  const double flops = 2e-9 * static_cast<double>(s.tokens) * static_cast<double>(s.in) * static_cast<double>(s.out);
  const auto forward = bench::measure([&] { D::linear(ctx, xv, wv, Vec<const S>(b.data(), s.out), yv); });
  const auto data = bench::measure([&] { D::linear_backward_data(ctx, yv, wv, Mat<S>(dx.data(), s.tokens, s.in)); });
  const auto weights = bench::measure(
      [&] { D::linear_backward_weights(ctx, xv, yv, Mat<T>(dw.data(), s.out, s.in), Vec<T>(db.data(), s.out)); });
  std::printf("| %-28s | %5td x %4td x %4td | %7.1f ± %2.0f %% | %7.1f ± %2.0f %% | %7.1f ± %2.0f %% |\n", s.what,
              s.tokens, s.in, s.out, flops / forward.median, 100 * forward.spread(), flops / data.median,
              100 * data.spread(), flops / weights.median, 100 * weights.spread());
}

template <class D>
void table() {
  typename D::Context ctx;
  std::printf("\n%s, %s, %s\n\n", bench::processor().c_str(), D::describe(ctx).c_str(), bench::compiler().c_str());
  std::printf("| product | tokens x in x out | forward | backward of x | backward of w |\n|---|---|---|---|---|\n");
  for (const Shape& s : {Shape{"square", 2048, 2048, 2048}, Shape{"vit_base qkv", 1568, 768, 2304},
                         Shape{"vit_base fc1", 1568, 768, 3072}, Shape{"vit_base fc2", 1568, 3072, 768},
                         Shape{"vit_small fc1", 3136, 384, 1536}, Shape{"vit_tiny proj", 6272, 192, 192},
                         Shape{"vit_tiny fc1", 6272, 192, 768}, Shape{"vit_tiny fc2", 6272, 768, 192}}) {
    rate<D>(s);
  }
}

}  // namespace

int main() {
  table<Cpu<float, cpu::EigenGemm>>();
  table<Cpu<float, ProgramGemm>>();
  table<Cpu<bf16, ProgramGemm>>();
}
