#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace vjepa {

// Schedules are functions of the number of the step, counted from 0 over the whole run: a resumed run needs
// no state of theirs. They follow the official trainer, which stretches them over `ipe_scale` times the run
// so that the run ends before they do.

namespace detail {

inline double half_cosine(double progress) {
  return 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace detail

/// Linear from `start` to `peak` over `warmup` steps, then a half cosine to `final`, the value of the last of `total`
/// steps. Beyond them it would rise again.
struct WarmupCosine {
  double start = 0;
  double peak = 0;
  double final = 0;
  std::int64_t warmup = 0;
  std::int64_t total = 0;

  double operator()(std::int64_t step) const {
    const auto now = static_cast<double>(step + 1);
    if (step + 1 < warmup) {
      return start + now / static_cast<double>(std::max<std::int64_t>(1, warmup)) * (peak - start);
    }
    const double progress =
        (now - static_cast<double>(warmup)) / static_cast<double>(std::max<std::int64_t>(1, total - warmup));
    return std::max(final, final + (peak - final) * detail::half_cosine(progress));
  }
};

/// A half cosine from `start` to `final`, the value of the last of `total` steps, and never beyond `final`. After them
/// it would turn back.
struct CosineWeightDecay {
  double start = 0;
  double final = 0;
  std::int64_t total = 0;

  double operator()(std::int64_t step) const {
    const double progress = static_cast<double>(step + 1) / static_cast<double>(total);
    const double value = final + (start - final) * detail::half_cosine(progress);
    return final <= start ? std::max(final, value) : std::min(final, value);
  }
};

/// Linear from `start` to `final` at step `total`, and `final` beyond: the momentum of the target encoder.
struct LinearMomentum {
  double start = 0.998;
  double final = 1.0;
  double total = 1;  // steps; the official trainer does not round it

  double operator()(std::int64_t step) const {
    const double progress = std::min(static_cast<double>(step), total) / total;
    return start + progress * (final - start);
  }
};

}  // namespace vjepa
