#include "vjepa/optim/adamw.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/nn/linear.hpp"

using namespace vjepa;
using D = Cpu<double>;

TEST_CASE("AdamW is the published update, and spares biases from decay") {
  D::Context ctx(2);
  const Linear<2, 3> module;
  const ParamLayout layout(module);
  AdamW<D> adamw(ctx, layout, {.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-3});
  std::vector<double> w(static_cast<std::size_t>(layout.size()), 0.5);
  std::vector<double> g(w.size(), 0.0);
  std::vector<double> expected = w;
  std::vector<double> m(w.size(), 0.0);
  std::vector<double> v(w.size(), 0.0);
  const Vec<double> weights(w.data(), layout.size());
  const Vec<double> gradients(g.data(), layout.size());
  for (int t = 1; t <= 3; ++t) {
    const double lr = 0.1 / t;
    for (std::size_t i = 0; i < w.size(); ++i) {
      g[i] = std::sin(static_cast<double>(i) + t);
      m[i] = 0.8 * m[i] + 0.2 * g[i];
      v[i] = 0.9 * v[i] + 0.1 * g[i] * g[i];
      const bool decayed = static_cast<Index>(i) < layout.decayed_size();
      expected[i] -= lr * (decayed ? 0.04 : 0.0) * expected[i];
      expected[i] -= lr * (m[i] / (1 - std::pow(0.8, t))) / (std::sqrt(v[i] / (1 - std::pow(0.9, t))) + 1e-3);
    }
    adamw.step(ctx, gradients, weights, lr, 0.04);
    for (std::size_t i = 0; i < w.size(); ++i) CHECK(w[i] == Approx(expected[i]).epsilon(1e-12));
  }
  CHECK(adamw.steps() == 3);
}

TEST_CASE("clipping scales to the norm, and only down") {
  D::Context ctx(1);
  std::vector<double> g{3, 4};
  double norm = 0;
  D::norm(ctx, Vec<const double>(g.data(), 2), Vec<double>(&norm, 1));
  CHECK(norm == 5);
  D::clip(ctx, Vec<const double>(&norm, 1), 10, Vec<double>(g.data(), 2));
  CHECK(g == std::vector<double>{3, 4});
  D::clip(ctx, Vec<const double>(&norm, 1), 1, Vec<double>(g.data(), 2));
  CHECK(g[0] == Approx(3 / (5 + 1e-6)));
}

TEST_CASE("the moving average keeps its momentum") {
  D::Context ctx(1);
  const std::vector<double> online{1, 2};
  std::vector<double> target{3, 4};
  D::ema(ctx, 0.75, Vec<const double>(online.data(), 2), Vec<double>(target.data(), 2));
  CHECK(target == std::vector<double>{2.5, 3.5});
}
