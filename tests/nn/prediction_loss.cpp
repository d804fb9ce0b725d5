#include "vjepa/nn/prediction_loss.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

struct Groups {
  std::vector<std::vector<double>> z;
  std::vector<std::vector<double>> h;
  std::vector<Index> tokens{5, 7};
  Index batch = 3;
  Index dim = 4;

  Groups() {
    Random random({.seed = 12});
    for (const Index n : tokens) {
      const auto size = static_cast<std::size_t>(batch * n * dim);
      z.emplace_back(size);
      h.emplace_back(size);
      // Small deviations, so that the hinge is active for most features and not for all.
      for (double& v : z.back()) v = 1.1 * random.normal();
      for (double& v : h.back()) v = random.normal();
    }
  }
  Seq<double> seq(std::vector<double>& v, std::size_t i) const { return Seq<double>(v.data(), batch, tokens[i], dim); }
};

/// The loss as the official trainer writes it.
double reference(const Groups& g, double exponent, double coefficient) {
  double jepa = 0;
  std::vector<double> deviations(static_cast<std::size_t>(g.batch * g.dim));
  for (std::size_t i = 0; i < 2; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < g.z[i].size(); ++k) sum += std::pow(std::abs(g.z[i][k] - g.h[i][k]), exponent);
    jepa += sum / static_cast<double>(g.z[i].size()) / exponent / 2;
    const Index n = g.tokens[i];
    for (Index b = 0; b < g.batch; ++b) {
      for (Index d = 0; d < g.dim; ++d) {
        const auto value = [&](Index t) { return g.z[i][static_cast<std::size_t>((b * n + t) * g.dim + d)]; };
        double mean = 0;
        for (Index t = 0; t < n; ++t) mean += value(t) / static_cast<double>(n);
        double variance = 0;
        for (Index t = 0; t < n; ++t) variance += (value(t) - mean) * (value(t) - mean) / static_cast<double>(n - 1);
        deviations[static_cast<std::size_t>(b * g.dim + d)] += std::sqrt(variance + 1e-4) / 2;
      }
    }
  }
  double reg = 0;
  for (const double s : deviations) reg += std::max(0.0, 1 - s) / static_cast<double>(deviations.size());
  return jepa + coefficient * reg;
}

}  // namespace

TEST_CASE("PredictionLoss: value and gradient are those of the definition") {
  for (const double exponent : {1.0, 2.0, 1.5}) {
    for (const double coefficient : {0.0, 0.3}) {
      INFO("exponent " << exponent << ", coefficient " << coefficient);
      Groups g;
      Proof::Context ctx;
      double jepa = 7;  // overwritten
      double reg = 7;
      std::vector<double> deviations(12);
      std::vector<double> ddeviations(12);
      PredictionLoss<Proof> loss(ctx, exponent, coefficient, 2, Mat<double>(deviations.data(), 3, 4),
                                 {Vec<double>(&jepa, 1), Vec<double>(&reg, 1)});
      CHECK(loss.coupled() == (coefficient != 0));
      std::vector<std::vector<double>> dz;
      for (std::size_t i = 0; i < 2; ++i) {
        dz.emplace_back(g.z[i].size(), std::nan(""));
        // One group whole, the other some samples at a time.
        const Index step = i == 0 ? 3 : 2;
        for (Index first = 0; first < 3; first += step) {
          const Index count = std::min(step, 3 - first);
          loss.add(ctx, first, g.seq(g.z[i], i).slice(first, count), g.seq(g.h[i], i).slice(first, count),
                   g.seq(dz[i], i).slice(first, count));
        }
      }
      loss.finish(ctx, Mat<double>(ddeviations.data(), 3, 4));
      if (loss.coupled()) {
        for (std::size_t i = 0; i < 2; ++i) {
          loss.add_coupled(ctx, g.seq(g.z[i], i), Mat<const double>(ddeviations.data(), 3, 4), g.seq(dz[i], i));
        }
      }
      CHECK(jepa + coefficient * reg == Approx(reference(g, exponent, coefficient)).epsilon(1e-12));

      GradientReport report;
      for (std::size_t i = 0; i < 2; ++i) {
        check_gradient(
            Vec<double>(g.z[i].data(), static_cast<Index>(g.z[i].size())),
            Vec<const double>(dz[i].data(), static_cast<Index>(dz[i].size())),
            [&] { return reference(g, exponent, coefficient); }, "z", {}, report);
      }
      require_small(report);
    }
  }
}
