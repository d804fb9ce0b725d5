#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "vjepa/config/nearest.hpp"
#include "vjepa/core/error.hpp"

namespace vjepa {

/// A part of a YAML file, read by name: a mapping whose keys are asked for one by one. Each key must be asked for
/// (`get`, `required`, `section`) or declared without effect (`unused`) before `finish`, which refuses whatever else
/// the file holds. Errors name the file, the line, the key, and what would do.
class YamlSection {
 public:
  /// What all sections of one file share.
  struct Source {
    std::string file;
    std::map<std::string, std::string> overrides;  // from the path of a key to the command-line text that set it
    std::vector<std::string> warnings;
    std::set<std::string> asked;  // paths of the keys that were asked for, whether the file has them or not
  };

  YamlSection(std::shared_ptr<Source> source, YAML::Node node, std::string path)
      : source_(std::move(source)), node_(std::move(node)), path_(std::move(path)) {
    if (!node_.IsMap()) bad(node_, path_, "a mapping of keys to values");
  }

  bool has(const std::string& key) const { return defined(node_[key]); }

  /// The value of a key, or `fallback` where the key is missing or null.
  template <class T>
  T get(const std::string& key, T fallback) {
    ask(key);
    const YAML::Node value = node_[key];
    return defined(value) ? convert<T>(value, path_of(key)) : fallback;
  }

  /// The value of a key, nothing where the key is missing or null.
  template <class T>
  std::optional<T> find(const std::string& key) {
    ask(key);
    const YAML::Node value = node_[key];
    return defined(value) ? std::optional<T>(convert<T>(value, path_of(key))) : std::nullopt;
  }

  /// The value of a key that must be there.
  template <class T>
  T required(const std::string& key) {
    ask(key);
    const YAML::Node value = node_[key];
    if (!defined(value))
      fail(where(node_, path_), "'", path_of(key), "' is missing; add it, or --set ", path_of(key), "=...");
    return convert<T>(value, path_of(key));
  }

  /// A section within this one; a missing one reads as empty.
  YamlSection section(const std::string& key) {
    ask(key);
    const YAML::Node value = node_[key];
    return {source_, defined(value) ? value : YAML::Node(YAML::NodeType::Map), path_of(key)};
  }

  /// A list of sections; a missing one is empty.
  std::vector<YamlSection> sections(const std::string& key) {
    ask(key);
    std::vector<YamlSection> list;
    const YAML::Node value = node_[key];
    if (!defined(value)) return list;
    if (!value.IsSequence()) bad(value, path_of(key), "a list");
    for (std::size_t i = 0; i < value.size(); ++i)
      list.emplace_back(source_, value[i], path_of(key) + "." + std::to_string(i));
    return list;
  }

  /// Declares a key that is valid and has no effect here; a warning says so where the file sets it.
  void unused(const std::string& key, std::string_view reason) {
    ask(key);
    const YAML::Node value = node_[key];
    if (value.IsDefined()) warn(key, reason);
  }

  /// Adds a warning that names the file and line of a key.
  void warn(const std::string& key, std::string_view reason) {
    source_->warnings.push_back(text(where(node_[key], path_of(key)), "'", path_of(key), "' ", reason));
  }

  /// Throws Error about the value of a key that has the right type and cannot be used.
  template <class... Parts>
  [[noreturn]] void reject(const std::string& key, const Parts&... parts) const {
    const YAML::Node value = node_[key];
    fail(where(value.IsDefined() ? value : node_, path_of(key)), "'", path_of(key), "' ", parts...);
  }

  /// Throws Error when the section holds a key that was not asked for, or one twice.
  void finish() const {
    const std::set<std::string> keys = known();
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar()) bad(entry.first, path_, "a mapping whose keys are words");
      const auto key = entry.first.as<std::string>();
      if (!seen.insert(key).second) fail(where(entry.first, path_of(key)), "'", path_of(key), "' is set twice");
      if (keys.contains(key)) continue;
      fail(where(entry.first, path_of(key)), "unknown key '", path_of(key), "'; did you mean '",
           path_of(nearest_word(key, keys)), "'?");
    }
  }

  const std::vector<std::string>& warnings() const { return source_->warnings; }

  /// The paths of all keys that this and the other sections of the file were asked for.
  const std::set<std::string>& asked() const { return source_->asked; }

 private:
  template <class T>
  struct IsList : std::false_type {};
  template <class T>
  struct IsList<std::vector<T>> : std::true_type {};
  template <class T>
  struct IsPair : std::false_type {};
  template <class T>
  struct IsPair<std::array<T, 2>> : std::true_type {};

  static bool defined(const YAML::Node& value) { return value.IsDefined() && !value.IsNull(); }

  void ask(const std::string& key) { source_->asked.insert(path_of(key)); }

  /// The keys of this section that were asked for.
  std::set<std::string> known() const {
    const std::string prefix = path_of("");
    std::set<std::string> keys;
    for (const std::string& path : asked()) {
      if (path.starts_with(prefix) && path.find('.', prefix.size()) == std::string::npos) {
        keys.insert(path.substr(prefix.size()));
      }
    }
    return keys;
  }

  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  /// "file.yaml:12: ", or "--set a.b=c: " for a value of the command line.
  std::string where(const YAML::Node& node, const std::string& path) const {
    for (const auto& [overridden, argument] : source_->overrides) {
      if (path == overridden || path.starts_with(overridden + ".")) return text("--set ", argument, ": ");
    }
    const int line = node.IsDefined() ? node.Mark().line : -1;
    return line >= 0 ? text(source_->file, ":", line + 1, ": ") : source_->file + ": ";
  }

  [[noreturn]] void bad(const YAML::Node& value, const std::string& path, std::string_view wanted) const {
    constexpr std::size_t shown = 60;  // a file that is no YAML can be one long text
    const auto quoted = [](const std::string& scalar) {
      return text("'", scalar.substr(0, shown), scalar.size() > shown ? "...'" : "'");
    };
    const std::string found = value.IsScalar()     ? quoted(value.Scalar())
                              : value.IsSequence() ? "a list"
                              : value.IsMap()      ? "a mapping"
                                                   : "nothing";
    fail(where(value, path), "'", path.empty() ? "the file" : path, "' must be ", wanted, ", it is ", found);
  }

  template <class T>
  T convert(const YAML::Node& value, const std::string& path) const {
    if constexpr (IsList<T>::value) {
      if (!value.IsSequence()) bad(value, path, "a list, such as [a, b]");
      T list;
      for (std::size_t i = 0; i < value.size(); ++i) {
        list.push_back(convert<typename T::value_type>(value[i], path + "." + std::to_string(i)));
      }
      return list;
    } else if constexpr (IsPair<T>::value) {
      if (!value.IsSequence() || value.size() != 2) bad(value, path, "a list of two values, such as [0.3, 1.0]");
      return {convert<typename T::value_type>(value[0], path + ".0"),
              convert<typename T::value_type>(value[1], path + ".1")};
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!value.IsScalar()) bad(value, path, "a text");
      return value.Scalar();
    } else if constexpr (std::is_same_v<T, bool>) {
      const auto flag = value.IsScalar() ? parse_bool(value.Scalar()) : std::nullopt;
      if (!flag) bad(value, path, "true or false");
      return *flag;
    } else if constexpr (std::is_integral_v<T>) {
      const auto number = value.IsScalar() ? parse_number<T>(value.Scalar()) : std::nullopt;
      if (!number) bad(value, path, "a whole number");
      return *number;
    } else {
      const auto number = value.IsScalar() ? parse_number<T>(value.Scalar()) : std::nullopt;
      if (!number || !std::isfinite(*number)) bad(value, path, "a number");
      return *number;
    }
  }

  static std::optional<bool> parse_bool(std::string word) {
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (word == "true" || word == "yes" || word == "on") return true;
    if (word == "false" || word == "no" || word == "off") return false;
    return std::nullopt;
  }

  template <class T>
  static std::optional<T> parse_number(std::string_view word) {
    if (word.starts_with('+')) word.remove_prefix(1);
    T number{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return number;
  }

  std::shared_ptr<Source> source_;
  YAML::Node node_;
  std::string path_;
};

namespace detail {

inline YAML::Node parse_yaml(const std::string& content, const std::string& name) {
  try {
    return YAML::Load(content);
  } catch (const YAML::Exception& e) {
    fail(name, e.mark.line >= 0 ? ":" + std::to_string(e.mark.line + 1) : "", ": not YAML: ", e.msg);
  }
}

/// Sets `path` ("mask.0.num_blocks") under `node`, making sections that are not there.
inline void set_yaml(YAML::Node node, std::string_view path, const YAML::Node& value, const std::string& argument) {
  const std::size_t dot = path.find('.');
  const std::string key(path.substr(0, dot));
  if (key.empty()) fail("--set ", argument, ": wants section.key=value, such as optimization.epochs=2");
  const bool last = dot == std::string_view::npos;
  if (node.IsSequence()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc{} || end != key.data() + key.size() || index >= node.size()) {
      fail("--set ", argument, ": '", key, "' is not the number of an entry of a list of ", node.size());
    }
    if (last) {
      node[index] = value;
    } else {
      set_yaml(node[index], path.substr(dot + 1), value, argument);
    }
    return;
  }
  if (!node.IsMap() && !node.IsNull())
    fail("--set ", argument, ": '", key, "' is within a value that is not a section");
  if (last) {
    node[key] = value;
  } else {
    if (!node[key].IsDefined() || node[key].IsNull()) node[key] = YAML::Node(YAML::NodeType::Map);
    set_yaml(node[key], path.substr(dot + 1), value, argument);
  }
}

}  // namespace detail

/// A YAML file as a section, with values replaced by `overrides` of the form "section.key=value", the value in YAML.
/// Throws Error when the file cannot be read or is no YAML.
inline YamlSection read_yaml(const std::filesystem::path& path, const std::vector<std::string>& overrides = {}) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    fail(path.string(), ": no such file; give the path of a YAML configuration");
  auto source = std::make_shared<YamlSection::Source>();
  source->file = path.string();
  YAML::Node root;
  try {
    root = YAML::LoadFile(path.string());
  } catch (const YAML::Exception& e) {
    fail(path.string(), e.mark.line >= 0 ? ":" + std::to_string(e.mark.line + 1) : "", ": not YAML: ", e.msg);
  }
  for (const std::string& argument : overrides) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail("--set ", argument, ": wants section.key=value, such as optimization.epochs=2");
    }
    const std::string key = argument.substr(0, equals);
    detail::set_yaml(root, key, detail::parse_yaml(argument.substr(equals + 1), "--set " + argument), argument);
    source->overrides[key] = argument;
  }
  return {std::move(source), root, ""};
}

}  // namespace vjepa
