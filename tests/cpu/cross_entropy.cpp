#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "vjepa/check/gradient.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;

namespace {

const std::vector<std::int32_t> labels{4, 0, 2};

/// sum over rows of -log softmax(logits)[label]
double reference(const std::vector<double>& logits, std::size_t classes) {
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double* row = logits.data() + i * classes;
    double total = 0;
    for (std::size_t j = 0; j < classes; ++j) total += std::exp(row[j]);
    sum += std::log(total) - row[labels[i]];
  }
  return sum;
}

}  // namespace

TEST_CASE("cross-entropy: value and gradient are those of the definition, and the loss accumulates") {
  using D = Cpu<double>;
  D::Context ctx(2);
  Random random({.seed = 5});
  std::vector<double> logits(15);
  for (double& v : logits) v = 3 * random.normal();
  std::vector<double> dlogits(15, std::nan(""));
  double loss = 7;
  D::cross_entropy(ctx, Mat<const double>(logits.data(), 3, 5), Labels(labels.data(), 3), 0.25, Vec<double>(&loss, 1),
                   Mat<double>(dlogits.data(), 3, 5));
  CHECK(loss == Approx(7 + 0.25 * reference(logits, 5)).epsilon(1e-14));
  GradientReport report;
  check_gradient(
      Vec<double>(logits.data(), 15), Vec<const double>(dlogits.data(), 15),
      [&] { return 0.25 * reference(logits, 5); }, "logits", {}, report);
  INFO(report.describe());
  CHECK(report.worst < 1e-6);
}

TEMPLATE_TEST_CASE("cross-entropy survives logits whose exponentials overflow", "", Cpu<float>, Cpu<double>,
                   Cpu<bf16>) {
  using S = Scalar<TestType>;
  using T = Grad<TestType>;
  typename TestType::Context ctx(1);
  const std::vector<S> logits{S(1000.0f), S(-1000.0f)};
  const std::vector<std::int32_t> wrong{1};
  std::vector<S> dlogits(2);
  T loss = 0;
  TestType::cross_entropy(ctx, Mat<const S>(logits.data(), 1, 2), Labels(wrong.data(), 1), 1, Vec<T>(&loss, 1),
                          Mat<S>(dlogits.data(), 1, 2));
  CHECK(loss == Approx(2000).epsilon(0.01));  // bf16 holds 1000 to a part in 256
  CHECK(static_cast<double>(dlogits[0]) == 1);
  CHECK(static_cast<double>(dlogits[1]) == -1);
}
