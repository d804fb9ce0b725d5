#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/io/atomic_file.hpp"

namespace vjepa {

/// A line chart as an SVG picture, for any browser, made without a screen: curves over a common x axis, with axes in
/// round numbers. Points that are not finite are left out.
class LineChart {
 public:
  LineChart(std::string title, std::string x_label, std::string y_label)
      : title_(std::move(title)), x_label_(std::move(x_label)), y_label_(std::move(y_label)) {}

  /// `faint` curves lie behind the others and have no name in the legend.
  void add(std::string name, std::vector<double> x, std::vector<double> y, bool faint = false) {
    curves_.push_back({std::move(name), std::move(x), std::move(y), faint});
  }

  void write(const std::filesystem::path& path) const { write_file(path, svg()); }

  std::string svg() const {
    const Axis x = axis([](const Curve& c) -> const std::vector<double>& { return c.x; });
    const Axis y = axis([](const Curve& c) -> const std::vector<double>& { return c.y; });
    std::string out = format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        width, height);
    out += label(width / 2.0, 24, "middle", "font-size=\"16\" ", title_);
    for (const double tick : x.ticks()) {
      out += line(place_x(x, tick), top, place_x(x, tick), bottom);
      out += label(place_x(x, tick), bottom + 20, "middle", "", number(tick));
    }
    for (const double tick : y.ticks()) {
      out += line(left, place_y(y, tick), right, place_y(y, tick));
      out += label(left - 8, place_y(y, tick) + 4, "end", "", number(tick));
    }
    out += label((left + right) / 2, bottom + 44, "middle", "", x_label_);
    out += label(0, 0, "middle", format("transform=\"translate(18 %g) rotate(-90)\" ", (top + bottom) / 2), y_label_);
    for (const bool faint : {true, false}) {
      for (std::size_t i = 0; i < curves_.size(); ++i) {
        if (curves_[i].faint == faint) out += polyline(curves_[i], x, y, colour(i));
      }
    }
    double row = top + 18;
    for (std::size_t i = 0; i < curves_.size(); ++i) {
      if (curves_[i].faint) continue;
      out += label(right - 10, row, "end", format("fill=\"%s\" ", colour(i)), curves_[i].name);
      row += 18;
    }
    return out + "</svg>\n";
  }

 private:
  struct Curve {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;
    bool faint;
  };

  struct Axis {
    double first;
    double last;
    double step;

    std::vector<double> ticks() const {
      std::vector<double> all(static_cast<std::size_t>(std::lround((last - first) / step)) + 1);
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = first + static_cast<double>(i) * step;
      return all;
    }
  };

  static constexpr int width = 800;
  static constexpr int height = 480;
  static constexpr double left = 80;
  static constexpr double right = 780;
  static constexpr double top = 44;
  static constexpr double bottom = 420;

  template <class... Args>
  static std::string format(const char* pattern, Args... args) {
    char buffer[512];
    std::snprintf(buffer, sizeof(buffer), pattern, args...);
    return buffer;
  }

  static std::string number(double value) { return format("%g", std::abs(value) < 1e-12 ? 0.0 : value); }
  static double place_x(const Axis& a, double v) { return left + (v - a.first) / (a.last - a.first) * (right - left); }
  static double place_y(const Axis& a, double v) {
    return bottom - (v - a.first) / (a.last - a.first) * (bottom - top);
  }

  /// Ticks of 1, 2 or 5 times a power of ten that enclose all finite values.
  template <class Values>
  Axis axis(Values&& values) const {
    double low = INFINITY;
    double high = -INFINITY;
    for (const Curve& curve : curves_) {
      for (const double v : values(curve)) {
        if (!std::isfinite(v)) continue;
        low = std::min(low, v);
        high = std::max(high, v);
      }
    }
    if (!(low <= high)) low = high = 0;
    if (low == high) high = low + 1;
    const double rough = (high - low) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough < 2 * power ? 2 : rough < 5 * power ? 5 : 10);
    return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
  }

  static const char* colour(std::size_t i) {
    static constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"};
    return colours[i % 6];
  }

  static std::string line(double x1, double y1, double x2, double y2) {
    return format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
  }

  static std::string label(double x, double y, const char* anchor, const std::string& attributes,
                           const std::string& content) {
    std::string escaped;
    for (const char c : content) {
      escaped += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
    }
    return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" ", x, y, anchor) + attributes + ">" + escaped +
           "</text>\n";
  }

  /// At most about a thousand points, each the mean of those it stands for: a picture shows no more.
  static std::string polyline(const Curve& curve, const Axis& x, const Axis& y, const char* colour) {
    std::string points;
    const std::size_t count = std::min(curve.x.size(), curve.y.size());
    const std::size_t group = count / 1000 + 1;
    for (std::size_t begin = 0; begin < count; begin += group) {
      double sum_x = 0;
      double sum_y = 0;
      double n = 0;
      for (std::size_t i = begin; i < std::min(count, begin + group); ++i) {
        if (!std::isfinite(curve.x[i]) || !std::isfinite(curve.y[i])) continue;
        sum_x += curve.x[i];
        sum_y += curve.y[i];
        ++n;
      }
      if (n > 0) points += format("%.2f,%.2f ", place_x(x, sum_x / n), place_y(y, sum_y / n));
    }
    return format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%s\" stroke-opacity=\"%s\" points=\"", colour,
                  curve.faint ? "1" : "2", curve.faint ? "0.3" : "1") +
           points + "\"/>\n";
  }

  std::string title_;
  std::string x_label_;
  std::string y_label_;
  std::vector<Curve> curves_;
};

}  // namespace vjepa
