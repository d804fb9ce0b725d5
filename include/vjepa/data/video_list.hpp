#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/media_names.hpp"

namespace vjepa {

/// The videos or images of a run: of CSV lists, `path label` a line, and of folders. A path with spaces stands in
/// double quotes, a quote within them twice. A list of millions of lines is read in seconds and kept as the text it is.
class VideoList {
 public:
  /// Adds a CSV list or every video in a folder and the folders within it. Throws Error, with the line, for what is
  /// neither, or empty; the list is then as before.
  void add(const std::filesystem::path& source) {
    std::error_code ignored;
    if (std::filesystem::is_directory(source, ignored)) {
      add_folder(source);
    } else if (is_video_name(source)) {
      fail(source.string(), ": is named as a video; give its folder, or a CSV list of \"path label\" a line");
    } else if (std::filesystem::is_regular_file(source, ignored)) {
      add_csv(source);
    } else {
      fail(source.string(), ": no such list or folder of videos");
    }
  }

  /// Adds every video or image of a folder of class folders, labelled by the order of the classes' names, and returns
  /// these. Throws Error when there is no class, or one that holds no such file; the list is then as before.
  std::vector<std::string> add_classes(const std::filesystem::path& source,
                                       bool (*wanted)(const std::filesystem::path&)) {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(source, error), end; it != end && !error; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) names.push_back(it->path().filename().string());
    }
    if (error) fail(source.string(), ": cannot be listed: ", error.message());
    if (names.empty()) fail(source.string(), ": holds no class folders");
    std::sort(names.begin(), names.end());
    std::string content;
    std::vector<Entry> entries;
    for (std::size_t label = 0; label < names.size(); ++label) {
      const std::vector<std::string> paths = files_within(source / names[label], wanted);
      if (paths.empty()) {
        fail((source / names[label]).string(), ": the class is empty: no file in it is named as what is classified");
      }
      put(paths, static_cast<std::int64_t>(label), content, entries);
    }
    append(std::make_shared<std::string>(std::move(content)), entries, {});
    return names;
  }

  Index size() const { return static_cast<Index>(entries_.size()); }

  /// A relative path of a list is looked for in the working folder, then beside the list.
  std::filesystem::path path(Index i) const {
    std::filesystem::path path = unquoted(spelling(i));
    std::error_code ignored;
    if (path.is_absolute() || std::filesystem::exists(path, ignored)) return path;
    return lists_[entries_[static_cast<std::size_t>(i)].text].parent_path() / path;
  }

  /// The path as the list spells it, quotes and all: the same from every working folder.
  std::string_view spelling(Index i) const {
    const Entry& entry = entries_[static_cast<std::size_t>(i)];
    return std::string_view(*texts_[entry.text]).substr(entry.begin, entry.length);
  }

  /// Where a video is named: "list.csv:12", or its own path.
  std::string where(Index i) const {
    const Entry& entry = entries_[static_cast<std::size_t>(i)];
    if (lists_[entry.text].empty()) return path(i).string();
    const auto begin = texts_[entry.text]->begin();
    const auto line = 1 + std::count(begin, begin + static_cast<std::ptrdiff_t>(entry.begin), '\n');
    return text(lists_[entry.text].string(), ":", line);
  }

  /// The label of a list; 0 for the videos of a folder.
  std::int64_t label(Index i) const { return entries_[static_cast<std::size_t>(i)].label; }

  /// The video that stands at place `k` of an endless shuffled stream: every video once before any comes again. With
  /// weights, one for each source, a source is drawn by its weight and a video of it evenly.
  Index at(std::uint64_t seed, std::uint64_t k, const std::optional<std::vector<double>>& weights) const {
    if (weights) return weighted(Random({.seed = seed, .purpose = Purpose::shuffle, .sample = k}), *weights);
    const auto n = static_cast<std::uint64_t>(size());
    const Permutation order({.seed = seed, .purpose = Purpose::shuffle, .epoch = k / n}, n);
    return static_cast<Index>(order(k % n));
  }

 private:
  struct Entry {
    std::uint32_t text;  // which of the texts
    std::uint32_t length;
    std::size_t begin;
    std::int64_t label;
  };

  void add_csv(const std::filesystem::path& source) {
    std::ifstream file(source, std::ios::binary);
    if (!file) fail(source.string(), ": cannot be read");
    auto content = std::make_shared<std::string>(std::filesystem::file_size(source), '\0');
    file.read(content->data(), static_cast<std::streamsize>(content->size()));
    if (!file) fail(source.string(), ": cannot be read to its end");
    std::vector<Entry> entries;
    const std::string_view text = *content;
    std::int64_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::size_t next = end + 1;
      if (end > begin && text[end - 1] == '\r') --end;
      ++number;
      if (end > begin) entries.push_back(parse(text, begin, end, source, number));
      begin = next;
    }
    if (entries.empty()) fail(source.string(), ": lists no videos; a line is: path label");
    append(std::move(content), entries, source);
  }

  Entry parse(std::string_view text, std::size_t begin, std::size_t end, const std::filesystem::path& source,
              std::int64_t number) const {
    const auto wrong = [&](std::string_view what) {
      const std::string_view line = text.substr(begin, std::min<std::size_t>(end - begin, 200));
      fail(source.string(), ":", number, ": ", what,
           "; a line is: path label, a path with spaces in \"quotes\": ", line);
    };
    std::size_t space = begin;
    if (text[begin] == '"') {
      do {
        space = text.find('"', space + 1);
        if (space == std::string_view::npos || space >= end) wrong("a quote is not closed");
        ++space;
      } while (space < end && text[space] == '"');
    } else {
      space = std::min(text.find(' ', begin), end);
    }
    if (space == begin) wrong("the path is missing");
    if (space == end) wrong("the label is missing");
    if (text[space] != ' ') wrong("a space must follow the path");
    Entry entry{static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(space - begin), begin, 0};
    const char* const last = text.data() + end;
    const auto [rest, error] = std::from_chars(text.data() + space + 1, last, entry.label);
    if (error != std::errc{} || rest != last) wrong("the label is no whole number");
    return entry;
  }

  void add_folder(const std::filesystem::path& source) {
    const std::vector<std::string> paths = files_within(source, is_video_name);
    if (paths.empty()) fail(source.string(), ": holds no files that are named as videos are (.mp4, .avi, .mkv, ...)");
    std::string content;
    std::vector<Entry> entries;
    put(paths, 0, content, entries);
    append(std::make_shared<std::string>(std::move(content)), entries, {});
  }

  /// Adds paths to the text and the entries of a source, quoted.
  void put(const std::vector<std::string>& paths, std::int64_t label, std::string& content,
           std::vector<Entry>& entries) const {
    for (const std::string& path : paths) {
      std::string quoted = "\"";
      for (const char c : path) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      quoted += '"';
      entries.push_back({static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(quoted.size()),
                         content.size(), label});
      content += quoted;
    }
  }

  /// Adds a source that was read to its end: entries of a text, and the CSV list that this is, if any.
  void append(std::shared_ptr<const std::string> content, const std::vector<Entry>& entries,
              const std::filesystem::path& list) {
    texts_.push_back(std::move(content));
    lists_.push_back(list);
    starts_.push_back(entries_.size());
    entries_.insert(entries_.end(), entries.begin(), entries.end());
  }

  static std::string unquoted(std::string_view field) {
    if (!field.starts_with('"')) return std::string(field);
    std::string path;
    for (std::size_t i = 1; i + 1 < field.size(); ++i) {
      path += field[i];
      if (field[i] == '"') ++i;
    }
    return path;
  }

  Index weighted(Random random, const std::vector<double>& weights) const {
    double total = 0;
    for (const double w : weights) total += w;
    double left = random.uniform() * total;
    std::size_t source = 0;
    while (source + 1 < weights.size() && left >= weights[source]) left -= weights[source++];
    const std::size_t end = source + 1 < starts_.size() ? starts_[source + 1] : entries_.size();
    return static_cast<Index>(starts_[source]) + random.below(static_cast<Index>(end - starts_[source]));
  }

  std::vector<std::shared_ptr<const std::string>> texts_;  // of each source
  std::vector<std::filesystem::path> lists_;               // the CSV list that each is; empty for folders
  std::vector<std::size_t> starts_;                        // the first entry of each
  std::vector<Entry> entries_;
};

}  // namespace vjepa
