#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/atomic_file.hpp"

namespace vjepa {

/// exp(logits) / sum exp(logits), in double.
inline std::vector<double> softmax(std::span<const float> logits) {
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> p;
  double sum = 0;
  for (const float l : logits) sum += p.emplace_back(std::exp(static_cast<double>(l) - largest));
  for (double& v : p) v /= sum;
  return p;
}

/// The classes by falling score; of equal ones the first comes first.
template <class Scores>
std::vector<std::size_t> ranked(const Scores& scores) {
  std::vector<std::size_t> order(scores.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

/// How often the class was the first, or among the first five.
struct TopK {
  std::int64_t samples = 0;
  std::int64_t first = 0;
  std::int64_t among_five = 0;

  /// Of equal scores the first class comes first; one that is not a number counts against the label.
  template <class Scores>
  void add(const Scores& scores, std::int64_t label) {
    const auto own = scores[static_cast<std::size_t>(label)];
    const auto at = static_cast<std::size_t>(label);
    std::size_t before = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (i != at && !(i < at ? scores[i] < own : scores[i] <= own)) ++before;
    }
    ++samples;
    first += before < 1 ? 1 : 0;
    among_five += before < 5 ? 1 : 0;
  }
  /// Percent, as the official evaluation gives them.
  double top1() const { return percent(first); }
  double top5() const { return percent(among_five); }

 private:
  double percent(std::int64_t count) const {
    return samples == 0 ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(samples);
  }
};

/// How often each class was taken for each.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::vector<std::string> names)
      : names_(std::move(names)), counts_(names_.size() * names_.size(), 0) {}

  void add(std::size_t truth, std::size_t answer) { ++counts_[truth * names_.size() + answer]; }

  std::size_t classes() const { return names_.size(); }
  const std::string& name(std::size_t i) const { return names_[i]; }
  std::int64_t count(std::size_t truth, std::size_t answer) const { return counts_[truth * names_.size() + answer]; }
  std::int64_t samples(std::size_t truth) const {
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < names_.size(); ++j) sum += count(truth, j);
    return sum;
  }
  /// Percent of a class's samples that were recognised; of none, 0.
  double accuracy(std::size_t truth) const {
    const std::int64_t n = samples(truth);
    return n == 0 ? 0 : 100.0 * static_cast<double>(count(truth, truth)) / static_cast<double>(n);
  }

  /// A row a true class, a column a predicted one.
  void write_csv(const std::filesystem::path& path) const {
    std::string out = "true\\predicted";
    for (const std::string& name : names_) out.append(",").append(quoted(name));
    for (std::size_t i = 0; i < names_.size(); ++i) {
      out.append("\n").append(quoted(names_[i]));
      for (std::size_t j = 0; j < names_.size(); ++j) out += text(",", count(i, j));
    }
    write_file(path, out + "\n");
  }

  /// class,samples,correct,accuracy
  void write_class_accuracy(const std::filesystem::path& path) const {
    std::string out = "class,samples,correct,accuracy\n";
    for (std::size_t i = 0; i < names_.size(); ++i) {
      char figures[80];
      std::snprintf(figures, sizeof(figures), ",%lld,%lld,%.5f\n", static_cast<long long>(samples(i)),
                    static_cast<long long>(count(i, i)), accuracy(i));
      out += quoted(names_[i]) + figures;
    }
    write_file(path, out);
  }

  /// An SVG picture: the darker a square, the more of its row's samples it holds.
  void write_svg(const std::filesystem::path& path, const std::string& title) const {
    const auto n = static_cast<double>(names_.size());
    const double cell = std::clamp(720.0 / n, 2.0, 36.0);
    const bool named = cell >= 9;
    const double left = named ? 170 : 40;
    const double top = named ? 190 : 60;
    char line[512];
    std::snprintf(line, sizeof(line),
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
                  "font-size=\"%.0f\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                  left + n * cell + 20, top + n * cell + 20, std::min(12.0, cell));
    std::string out = line;
    out += "<text x=\"10\" y=\"20\" font-size=\"15\">" + escaped(title) + "</text>\n" +
           "<text x=\"10\" y=\"38\" font-size=\"12\">rows: true class, columns: predicted class</text>\n";
    std::snprintf(line, sizeof(line),
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#999\"/>\n",
                  left, top, n * cell, n * cell);
    out += line;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const double y = top + static_cast<double>(i) * cell;
      if (named) out += label(left - 6, y + 0.7 * cell, "end", "", names_[i]);
      if (named) {
        const double x = left + (static_cast<double>(i) + 0.7) * cell;
        std::snprintf(line, sizeof(line), " transform=\"rotate(-90 %.1f %.1f)\"", x, top - 6);
        out += label(x, top - 6, "start", line, names_[i]);
      }
      for (std::size_t j = 0; j < names_.size(); ++j) {
        if (count(i, j) > 0) out += square(left + static_cast<double>(j) * cell, y, cell, i, j);
      }
    }
    write_file(path, out + "</svg>\n");
  }

 private:
  std::string square(double x, double y, double cell, std::size_t i, std::size_t j) const {
    const double part = static_cast<double>(count(i, j)) / static_cast<double>(samples(i));
    const auto light = static_cast<int>(std::lround(255 - 215 * part));
    char line[400];
    std::snprintf(line, sizeof(line),
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"rgb(%d,%d,%d)\"><title>", x, y,
                  cell, cell, i == j ? light / 2 : light, i == j ? 90 + 165 * light / 255 : light / 2,
                  i == j ? light : light / 2);
    std::string out = line + escaped(text(names_[i], " as ", names_[j], ": ", count(i, j))) + "</title></rect>\n";
    if (cell >= 18) {
      std::snprintf(line, sizeof(line), " fill=\"%s\"", part > 0.4 ? "white" : "black");
      out += label(x + cell / 2, y + 0.65 * cell, "middle", line, std::to_string(count(i, j)));
    }
    return out;
  }

  static std::string label(double x, double y, const char* anchor, const std::string& attributes,
                           const std::string& content) {
    char begin[120];
    std::snprintf(begin, sizeof(begin), "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    return begin + attributes + ">" + escaped(content) + "</text>\n";
  }
  static std::string escaped(const std::string& content) {
    std::string out;
    for (const char c : content) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
    return out;
  }
  /// A CSV field (RFC 4180).
  static std::string quoted(const std::string& field) {
    if (field.find_first_of(",\"\n") == std::string::npos) return field;
    std::string out = "\"";
    for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
  }

  std::vector<std::string> names_;
  std::vector<std::int64_t> counts_;
};

}  // namespace vjepa
