#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// How features fill their space. Both fall towards their least when an encoder collapses to saying the same of
/// everything.
struct FeatureSpread {
  double deviation = 0;  // standard deviation of a feature over the rows, mean over the features
  double rank = 0;       // effective number of directions in which the rows differ, 1 to the number of features
  double guess = 0;      // loss of guessing every feature's mean; a prediction with no smaller one tells no rows apart
};

/// The spread of rows [count, dim]. The effective rank is the participation ratio of the covariance C, (tr C)^2 / tr
/// C^2 (Gao et al., "A theory of multineuronal dimensionality, dynamics and measurement", bioRxiv 214262, 2017): the
/// number of directions, were all to vary alike. Rows that are all the same have rank 0. `exponent` is the loss's.
inline FeatureSpread feature_spread(std::span<const float> rows, Index dim, double exponent = 1) {
  const auto d = static_cast<std::size_t>(dim);
  const std::size_t n = rows.size() / d;
  std::vector<double> mean(d, 0);
  for (std::size_t i = 0; i < n * d; ++i) mean[i % d] += static_cast<double>(rows[i]);
  for (double& m : mean) m /= static_cast<double>(n);  // exact where all rows are the same
  std::vector<double> centred(n * d);
  std::vector<double> variance(d, 0);
  double guess = 0;
  for (std::size_t i = 0; i < n * d; ++i) {
    centred[i] = static_cast<double>(rows[i]) - mean[i % d];
    variance[i % d] += centred[i] * centred[i] / static_cast<double>(n);
    guess += std::pow(std::abs(centred[i]), exponent);
  }
  FeatureSpread spread;
  spread.guess = guess / (exponent * static_cast<double>(n * d));
  double trace = 0;
  for (const double v : variance) {
    spread.deviation += std::sqrt(v) / static_cast<double>(d);
    trace += v;
  }
  // tr C^2 is the sum of the squared inner products of the rows, which are fewer than the features of a large encoder.
  double trace_of_square = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double product = 0;
      for (std::size_t k = 0; k < d; ++k) product += centred[i * d + k] * centred[j * d + k];
      product /= static_cast<double>(n);
      trace_of_square += (i == j ? 1 : 2) * product * product;
    }
  }
  if (trace_of_square > 0) spread.rank = trace * trace / trace_of_square;
  return spread;
}

}  // namespace vjepa
