#pragma once

// Timing for the benchmarks: medians with their spread, memory, and the machine they were taken on.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace vjepa::bench {

struct Timing {
  double median = 0;  // seconds
  double low = 0;     // first and third quartile
  double high = 0;

  /// Half the distance of the quartiles as a share of the median.
  double spread() const { return median > 0 ? (high - low) / 2 / median : 0; }
};

/// Times `work` until `seconds` have passed, at least `least` times, after one call that is not counted.
template <class Work>
Timing measure(Work&& work, double seconds = 1.0, int least = 5) {
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> times;
  const auto begin = Clock::now();
  while (static_cast<int>(times.size()) < least ||
         std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
    const auto start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) { return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))]; };
  return {at(0.5), at(0.25), at(0.75)};
}

/// Seconds of each of `count` calls of `work`.
template <class Work>
std::vector<double> repeat(int count, Work&& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return times;
}

/// Forgets the peak so far of the memory of this process (proc(5), clear_refs).
inline void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// The most bytes of this process that were resident since the last reset; 0 where Linux does not tell.
inline std::int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::stoll(line.substr(6));
  }
  return 0;
}

/// The processor's name, as Linux knows it.
inline std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

/// "g++ 12.2.0"
inline std::string compiler() {
#if defined(__clang__)
  return "clang++ " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

}  // namespace vjepa::bench
