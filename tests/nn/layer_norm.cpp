#include "vjepa/nn/layer_norm.hpp"

#include <cmath>
#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("LayerNorm: the gradient is that of finite differences, with and without a skip") {
  using Module = LayerNorm<6>;
  for (const bool with_skip : {false, true}) {
    Room room;
    require_small(check_module(
        Module{}, 9 * 6, 9 * 6,
        [&](const auto& p, auto x, auto y) {
          Module::forward<Proof>(room.ctx, p, rows<6>(x), rows<6>(y), {});
          // y = norm(x) + x: what a residual branch adds.
          if (with_skip) {
            for (Index i = 0; i < x.size(); ++i) y.data()[i] += x.data()[i];
          }
        },
        [&](const auto& p, auto x, auto dy, auto dx, const auto& g) {
          const auto saved = Module::Saved<Proof>::take(room.arena, 9);
          std::vector<double> y(54);
          Module::forward<Proof>(room.ctx, p, rows<6>(x), View<double, Dyn, 6>(y.data(), 9), saved);
          Module::backward<Proof>(room.ctx, p, rows<6>(x), saved, rows<6>(dy), with_skip ? rows<6>(dy) : In<Proof, 6>(),
                                  rows<6>(dx), g);
        }));
  }
}

TEST_CASE("LayerNorm of a constant row is its bias") {
  Room room;
  const std::vector<double> x(4, 3.0);
  const std::vector<double> weight{1, 2, 3, 4};
  const std::vector<double> bias{5, 6, 7, 8};
  std::vector<double> y(4);
  const LayerNorm<4>::Params<const double> p{View<const double, 4>(weight.data()), View<const double, 4>(bias.data())};
  LayerNorm<4>::forward<Proof>(room.ctx, p, View<const double, Dyn, 4>(x.data(), 1), View<double, Dyn, 4>(y.data(), 1),
                               {});
  CHECK(y == bias);
}
