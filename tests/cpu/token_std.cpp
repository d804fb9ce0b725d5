#include <cmath>
#include <cstddef>
#include <vector>

#include "catch.hpp"
#include "vjepa/check/gradient.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

namespace {

// Features of one block of the device, and some.
constexpr Index batch = 2;
constexpr Index tokens = 9;
constexpr Index dim = 70;
constexpr double eps = 1e-4;
constexpr double weight = 0.5;

double deviation(const std::vector<double>& z, Index b, Index d) {
  const auto value = [&](Index t) { return z[static_cast<std::size_t>((b * tokens + t) * dim + d)]; };
  double mean = 0;
  for (Index t = 0; t < tokens; ++t) mean += value(t) / tokens;
  double variance = 0;
  for (Index t = 0; t < tokens; ++t) variance += (value(t) - mean) * (value(t) - mean) / (tokens - 1);
  return std::sqrt(variance + eps);
}

}  // namespace

TEST_CASE("deviations over tokens: values and gradients are those of the definition, and accumulate") {
  using D = Cpu<double>;
  D::Context ctx(2);
  Random random({.seed = 6});
  std::vector<double> z(batch * tokens * dim);
  std::vector<double> asked(batch * dim);  // the gradient of the deviations
  for (double& v : z) v = 2 * random.normal() + 1;
  for (double& v : asked) v = random.normal();
  const Seq<const double> view(z.data(), batch, tokens, dim);

  std::vector<double> std(batch * dim, 7);
  D::token_std(ctx, view, eps, weight, Mat<double>(std.data(), batch, dim));
  for (Index b = 0; b < batch; ++b) {
    for (Index d = 0; d < dim; ++d) {
      REQUIRE(std[static_cast<std::size_t>(b * dim + d)] == Approx(7 + weight * deviation(z, b, d)).epsilon(1e-13));
    }
  }

  std::vector<double> dz(z.size(), 3);
  D::token_std_backward(ctx, view, eps, Mat<const double>(asked.data(), batch, dim), weight,
                        Seq<double>(dz.data(), batch, tokens, dim));
  for (double& v : dz) v -= 3;
  GradientReport report;
  check_gradient(
      Vec<double>(z.data(), batch * tokens * dim), Vec<const double>(dz.data(), batch * tokens * dim),
      [&] {
        double sum = 0;
        for (Index b = 0; b < batch; ++b) {
          for (Index d = 0; d < dim; ++d) {
            sum += asked[static_cast<std::size_t>(b * dim + d)] * weight * deviation(z, b, d);
          }
        }
        return sum;
      },
      "z", {}, report);
  INFO(report.describe());
  CHECK(report.worst < 1e-6);
}
