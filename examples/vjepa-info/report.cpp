#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "info.hpp"
#include "vjepa/core/error.hpp"

namespace {

/// Four digits with a prefix of a thousand's power: 303885312 is "303.9 M".
std::string scaled(double value, const char* unit) {
  static constexpr std::array<const char*, 6> prefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t power = 0;
  while (std::abs(value) >= 999.95 && power + 1 < prefixes.size()) {
    value /= 1000;
    ++power;
  }
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), power > 0 ? "%.1f %s%s" : "%.0f%s%s", value,
                power > 0 || *unit == '\0' ? prefixes[power] : " ", unit);
  return buffer;
}

struct Unit {
  std::string_view key;  // what a key ends in
  const char* symbol;
};
constexpr std::array<Unit, 3> units = {{{"bytes", "B"}, {"flops", "FLOP"}, {"parameters", ""}}};

const Unit* unit_of(std::string_view key) {
  const auto found = std::ranges::find_if(units, [&](const Unit& unit) { return key.ends_with(unit.key); });
  return found == units.end() ? nullptr : &*found;
}

/// "memory_bytes" is "memory": the unit stands with the numbers.
std::string label(const std::string& key) {
  for (const std::string_view suffix : {"_bytes", "_flops"}) {
    if (key.ends_with(suffix)) return key.substr(0, key.size() - suffix.size());
  }
  return key;
}

std::string value_text(const Report& value, const Unit* unit) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) return value.dump();
  if (unit != nullptr) return scaled(value.get<double>(), unit->symbol);
  if (value.is_number_integer()) return value.dump();
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.6g", value.get<double>());
  return buffer;
}

using Rows = std::vector<std::vector<std::string>>;

/// Columns as wide as their widest cell, those of numbers to the right.
std::string aligned(const Rows& rows, const std::vector<bool>& right, const std::string& indent) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      line += (c > 0 ? "  " : "") + (right[c] ? gap + row[c] : row[c] + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string pairs_text(const Report& section, const Unit* unit, const std::string& indent) {
  Rows rows;
  for (const auto& [key, value] : section.items()) {
    if (value.is_structured()) continue;
    const Unit* own = unit_of(key);
    rows.push_back({label(key), value_text(value, own != nullptr ? own : unit)});
  }
  return aligned(rows, {false, false}, indent);
}

std::string table_text(const Report& table) {
  Rows rows(1);
  std::vector<bool> right;
  for (const auto& [key, value] : table.front().items()) {
    rows[0].push_back(label(key));
    right.push_back(value.is_number());
  }
  for (const Report& entry : table) {
    auto& row = rows.emplace_back();
    for (const auto& [key, value] : entry.items()) row.push_back(value_text(value, unit_of(key)));
  }
  return aligned(rows, right, "  ");
}

}  // namespace

std::string report_text(const Report& report) {
  std::string out = pairs_text(report, nullptr, "");
  for (const auto& [key, value] : report.items()) {
    if (!value.is_structured() || value.empty()) continue;
    out += vjepa::text("\n", label(key), "\n");
    if (value.is_object()) {
      out += pairs_text(value, unit_of(key), "  ");
    } else if (value.front().is_object()) {
      out += table_text(value);
    } else {
      Rows lines;
      for (const Report& line : value) lines.push_back({value_text(line, nullptr)});
      out += aligned(lines, {false}, "  ");
    }
  }
  return out;
}
