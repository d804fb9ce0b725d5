#include "vjepa/optim/adamw.hpp"

#include <cmath>
#include <type_traits>
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
    adamw.step(ctx, gradients, {weights}, lr, 0.04);
    for (std::size_t i = 0; i < w.size(); ++i) CHECK(w[i] == Approx(expected[i]).epsilon(1e-12));
  }
  CHECK(adamw.steps() == 3);
}

namespace {

/// What one step makes of weights, their average and the copies of both, with gradients of norm 5.
struct Updated {
  explicit Updated(double most) {
    using B = Cpu<bf16>;
    B::Context ctx(1);
    const std::vector<float> gradients{3, -4};
    float norm = 0;
    B::norm(ctx, Vec<const float>(gradients.data(), 2), Vec<float>(&norm, 1));
    CHECK(norm == 5);
    const auto all = [](auto& values) { return Vec<std::remove_reference_t<decltype(values[0])>>(values.data(), 2); };
    const Clipping<float> clipping{Vec<const float>(&norm, most > 0 ? 1 : 0), most};
    B::adamw(ctx, {.lr = 0.5, .beta1 = 0.5, .beta2 = 0.5, .eps = 100}, most > 0 ? clipping : Clipping<float>{},
             Vec<const float>(gradients.data(), 2), {all(weights), all(copy)}, all(m), all(v),
             {{all(average), all(average_copy)}, 0.75});
  }

  std::vector<float> weights{1, 2};
  std::vector<bf16> copy{bf16(0.0f), bf16(0.0f)};
  std::vector<float> m{0, 0};
  std::vector<float> v{0, 0};
  std::vector<float> average{5, 6};
  std::vector<bf16> average_copy{bf16(0.0f), bf16(0.0f)};
};

}  // namespace

TEST_CASE("clipping scales gradients to the norm, and only down") {
  const Updated plain(0);
  CHECK(plain.m == std::vector<float>{1.5f, -2.0f});
  CHECK(Updated(10).m == plain.m);
  CHECK(Updated(10).weights == plain.weights);
  const Updated clipped(1);
  CHECK(clipped.m[0] == Approx(1.5 / (5 + 1e-6)));
  CHECK(clipped.v[1] == Approx(0.5 * 16 / 25));
}

TEST_CASE("an update brings the average and the copies along") {
  const Updated updated(0);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(updated.average[i] == Approx(0.75 * (5.0 + static_cast<double>(i)) + 0.25 * updated.weights[i]));
    CHECK(static_cast<float>(updated.copy[i]) == static_cast<float>(bf16(updated.weights[i])));
    CHECK(static_cast<float>(updated.average_copy[i]) == static_cast<float>(bf16(updated.average[i])));
  }
}

TEST_CASE("AdamW without eps is refused") {
  D::Context ctx(1);
  CHECK_THROWS_WITH(AdamW<D>(ctx, ParamLayout(Linear<2, 3>{}), {.eps = 0}), Contains("eps is 0"));
}
