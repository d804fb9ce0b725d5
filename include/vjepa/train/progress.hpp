#pragma once

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace vjepa {

/// Progress of long work on standard error: a bar that redraws itself on a terminal, a plain line now and then where
/// there is none.
class Progress {
 public:
  /// `every`: steps between plain lines.
  Progress(std::string what, std::int64_t total, std::int64_t every)
      : what_(std::move(what)), total_(total), every_(every), terminal_(::isatty(STDERR_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Shows that `done` of the total are done; `note` is what to say of the last.
  void show(std::int64_t done, const std::string& note) {
    const auto now = std::chrono::steady_clock::now();
    if (first_ < 0) {
      first_ = done - 1;
      begin_ = last_drawn_ = now;
    }
    const bool finished = done >= total_;
    if (terminal_) {
      // Ten times a second is as much as one can read.
      if (!finished && drawn_ && now - last_drawn_ < std::chrono::milliseconds(100)) return;
      last_drawn_ = now;
      draw(done, note, now);
    } else if (done != last_line_ && (finished || done % every_ == 0 || done == first_ + 1)) {
      last_line_ = done;
      std::fprintf(stderr, "%s %lld/%lld  %s\n", what_.c_str(), static_cast<long long>(done),
                   static_cast<long long>(total_), note.c_str());
    }
  }

  /// Takes the bar off the terminal, so that a line can be printed; the next show draws it again.
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;

  void draw(std::int64_t done, const std::string& note, Time now) {
    constexpr int width = 24;
    const int filled = total_ > 0 ? static_cast<int>(width * done / total_) : width;
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i < filled ? "█" : "░";
    const double elapsed = std::chrono::duration<double>(now - begin_).count();
    const std::int64_t steps = done - first_;
    const double left = steps > 1 ? elapsed / static_cast<double>(steps) * static_cast<double>(total_ - done) : 0;
    std::fprintf(stderr, "\r\033[K%s %s %lld/%lld  %s  %s left", what_.c_str(), bar.c_str(),
                 static_cast<long long>(done), static_cast<long long>(total_), note.c_str(), duration(left).c_str());
    drawn_ = true;
  }

  static std::string duration(double seconds) {
    const auto s = std::llround(seconds);
    char text[32];
    if (s >= 3600) {
      std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    } else {
      std::snprintf(text, sizeof(text), "%lld:%02lld", s / 60, s % 60);
    }
    return text;
  }

  std::string what_;
  std::int64_t total_;
  std::int64_t every_;
  bool terminal_;
  bool drawn_ = false;
  std::int64_t first_ = -1;      // steps done before the first call
  std::int64_t last_line_ = -1;  // steps done at the last plain line
  Time begin_;
  Time last_drawn_;
};

}  // namespace vjepa
