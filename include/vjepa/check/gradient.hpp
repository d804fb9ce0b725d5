#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// The largest disagreement that a gradient check met, and where.
struct GradientReport {
  double worst = 0;   // |analytic - numeric| / (|analytic| + |numeric| + floor)
  std::string where;  // "x[12]" or "attn.qkv.weight[3]"
  double analytic = 0;
  double numeric = 0;

  std::string describe() const {
    return text(where, ": analytic ", analytic, ", numeric ", numeric, ", relative difference ", worst);
  }
};

struct GradientOptions {
  double step = 1e-5;   // of the central difference
  double floor = 1e-3;  // added to the denominator: the numeric gradient is no better than rounding over step
  Index most = 40;      // values checked of each tensor, spread evenly
  std::uint64_t seed = 1;
};

namespace detail {

inline void compare_gradient(double analytic, double numeric, const std::string& where, double floor,
                             GradientReport& report) {
  const double difference = std::abs(analytic - numeric) / (std::abs(analytic) + std::abs(numeric) + floor);
  // Written so that a NaN is the worst of all.
  if (!(difference <= report.worst))
    report = {std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference, where, analytic, numeric};
}

}  // namespace detail

/// Compares `gradient` with central differences of `loss()` in the values of `x`, which are changed and restored.
template <class Loss>
void check_gradient(Vec<double> x, Vec<const double> gradient, Loss&& loss, const std::string& name,
                    const GradientOptions& options, GradientReport& report) {
  const Index stride = std::max<Index>(1, x.size() / options.most);
  for (Index i = 0; i < x.size(); i += stride) {
    double& value = x.data()[i];
    const double kept = value;
    value = kept + options.step;
    const double above = loss();
    value = kept - options.step;
    const double below = loss();
    value = kept;
    detail::compare_gradient(gradient.data()[i], (above - below) / (2 * options.step), text(name, "[", i, "]"),
                             options.floor, report);
  }
}

/// Proves the backward pass of a module in double precision, its values on the host.
///
/// `forward(params, x, y)` computes y; `backward(params, x, dy, dx, gradients)` runs what it needs of the forward
/// pass and then the backward pass: it must overwrite dx, which comes as NaN, and accumulate into the gradients,
/// which come filled. Parameters and x are random; the loss is a random combination of y. A module without a
/// gradient of x is given an empty dx by `x_learns = false`.
template <class M, class Forward, class Backward>
GradientReport check_module(const M& module, Index x_size, Index y_size, Forward&& forward, Backward&& backward,
                            bool x_learns = true, const GradientOptions& options = {}) {
  Random random({.seed = options.seed, .purpose = Purpose::user});
  const auto normal = [&random](Index n) {
    std::vector<double> values(static_cast<std::size_t>(n));
    for (double& v : values) v = random.normal();
    return values;
  };
  const auto view = [](std::vector<double>& v) { return Vec<double>(v.data(), static_cast<Index>(v.size())); };

  const ParamLayout layout(module);
  std::vector<double> weights = normal(layout.size());
  for (double& w : weights) w *= 0.5;
  std::vector<double> x = normal(x_size);
  std::vector<double> y(static_cast<std::size_t>(y_size));
  std::vector<double> dy = normal(y_size);
  const auto params = layout.template bind<const double>(module, weights.data());
  const auto loss = [&] {
    forward(params, Vec<const double>(view(x)), view(y));
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };

  constexpr double filled = 0.25;
  std::vector<double> dx(x_learns ? x.size() : 0, std::numeric_limits<double>::quiet_NaN());
  std::vector<double> gradients(weights.size(), filled);
  backward(params, Vec<const double>(view(x)), Vec<const double>(view(dy)), view(dx),
           layout.template bind<double>(module, gradients.data()));
  for (double& g : gradients) g -= filled;

  GradientReport report;
  if (x_learns) check_gradient(view(x), Vec<const double>(view(dx)), loss, "x", options, report);
  for (const ParamInfo& p : layout.params()) {
    check_gradient(view(weights).slice(p.offset, p.size), Vec<const double>(view(gradients).slice(p.offset, p.size)),
                   loss, p.name, options, report);
  }
  return report;
}

}  // namespace vjepa
