#include "vjepa/check/gradient.hpp"

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/nn/linear.hpp"

using namespace vjepa;
using D = Cpu<double>;
using Module = Linear<3, 2>;

namespace {

template <class Spoil>
GradientReport check_spoilt(Spoil&& spoil) {
  D::Context ctx(1);
  const auto matrix = [](auto v, Index cols) {
    return View<typename decltype(v)::value_type, Dyn, Dyn>(v.data(), 4, cols);
  };
  return check_module(
      Module{}, 12, 8,
      [&](const auto& p, auto x, auto y) { D::linear(ctx, matrix(x, 3), p.weight, p.bias, matrix(y, 2)); },
      [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
        D::linear_backward_weights(ctx, matrix(x, 3), matrix(dy, 2), g.weight, g.bias);
        D::linear_backward_data(ctx, matrix(dy, 2), p.weight, matrix(dx, 3));
        spoil(dx, g);
      });
}

}  // namespace

TEST_CASE("the checker accepts a right gradient") {
  CHECK(check_spoilt([](auto, const auto&) {}).worst < 1e-8);
}

TEST_CASE("the checker finds one wrong value and names it") {
  const auto report = check_spoilt([](auto, const auto& g) { g.weight(1, 2) += 0.01; });
  CHECK(report.worst > 1e-4);
  CHECK(report.where == "weight[5]");
}

TEST_CASE("the checker finds a dx that was accumulated into, or not written") {
  CHECK(check_spoilt([](auto dx, const auto&) { dx.data()[3] = std::nan(""); }).where == "x[3]");
}

TEST_CASE("the checker finds gradients that were overwritten") {
  const auto report = check_spoilt([](auto, const auto& g) { g.bias(1) -= 0.25; });
  CHECK(report.where == "bias[1]");
}
