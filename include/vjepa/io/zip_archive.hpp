#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/io/mapped_file.hpp"

namespace vjepa {

/// A zip archive to read (APPNOTE.TXT 6.3, zip64 included). Stored entries are views of the mapped file, deflated ones
/// are inflated when asked for. Names are only compared, never used as paths. Checksums are not looked at: PyTorch can
/// be told to write files without (`torch.serialization.set_crc32_options`) and compares none.
class ZipArchive {
 public:
  /// Throws Error that names the file and what is wrong with it.
  explicit ZipArchive(const std::filesystem::path& path) : file_(path) { read_directory(); }

  const std::filesystem::path& path() const { return file_.path(); }

  /// Whether the file begins as a zip archive does.
  static bool begins_as_one(std::span<const std::byte> bytes) {
    return bytes.size() >= 4 && std::memcmp(bytes.data(), "PK\3\4", 4) == 0;
  }

  std::vector<std::string_view> names() const {
    std::vector<std::string_view> all;
    for (const auto& [name, entry] : entries_) all.push_back(name);
    return all;
  }
  /// Of all entries, in bytes.
  std::uint64_t unpacked_size() const { return unpacked_; }
  bool contains(std::string_view name) const { return entries_.find(name) != entries_.end(); }

  /// The bytes of an entry, which live as long as the archive. Throws Error when there is no such entry, or it cannot
  /// be read.
  std::span<const std::byte> read(std::string_view name) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) bad("no entry '", name, "'");
    Entry& entry = found->second;
    if (entry.method == deflated && entry.inflated == nullptr) inflate(name, entry);
    if (entry.inflated != nullptr) return *entry.inflated;
    return bytes().subspan(entry.begin, entry.packed);
  }

 private:
  enum Method : std::uint16_t { stored = 0, deflated = 8 };
  static constexpr std::uint32_t directory_end = 0x06054b50;
  static constexpr std::uint32_t directory_end_64 = 0x06064b50;
  static constexpr std::uint32_t locator_64 = 0x07064b50;
  static constexpr std::uint32_t directory_entry = 0x02014b50;
  static constexpr std::uint32_t local_entry = 0x04034b50;
  static constexpr std::uint64_t max_ratio = 20;            // weights hardly deflate at all
  static constexpr std::uint64_t max_deflate_ratio = 1032;  // a property of the format
  static constexpr std::size_t end_size = 22;
  static constexpr std::size_t locator_size = 20;
  static constexpr std::size_t entry_size = 46;
  static constexpr std::size_t local_size = 30;

  struct Entry {
    std::uint16_t method = stored;
    std::uint64_t begin = 0;   // of the data in the file
    std::uint64_t packed = 0;  // bytes in the file
    std::uint64_t size = 0;    // bytes unpacked
    const std::vector<std::byte>* inflated = nullptr;
  };

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(file_.path().string(), ": not a usable zip archive: ", parts...);
  }

  std::span<const std::byte> bytes() const { return file_.bytes(); }

  /// Throws Error unless bytes [at, at + count) are in the file.
  void need(std::uint64_t at, std::uint64_t count, const char* what) const {
    const std::uint64_t total = bytes().size();
    if (at > total || count > total - at) bad(what, " at byte ", at, " lies beyond the end; the file is cut short");
  }

  template <class T>
  T number(std::uint64_t at) const {
    static_assert(std::is_unsigned_v<T>);
    need(at, sizeof(T), "a number");
    T value;
    std::memcpy(&value, bytes().data() + at, sizeof(T));
    return value;
  }

  /// The end record stands last but for a comment of up to 65535 bytes.
  std::uint64_t find_end() const {
    const std::uint64_t total = bytes().size();
    for (std::uint64_t back = end_size; back <= total && back <= end_size + 0xffff; ++back) {
      if (number<std::uint32_t>(total - back) == directory_end) return total - back;
    }
    bad("it has no directory at its end; the file is cut short or no zip archive");
  }

  void read_directory() {
    const std::uint64_t end = find_end();
    std::uint64_t count = number<std::uint16_t>(end + 10);
    std::uint64_t size = number<std::uint32_t>(end + 12);
    std::uint64_t at = number<std::uint32_t>(end + 16);
    if (end >= locator_size && number<std::uint32_t>(end - locator_size) == locator_64) {
      const auto end64 = number<std::uint64_t>(end - locator_size + 8);
      need(end64, 56, "the zip64 directory");
      if (number<std::uint32_t>(end64) != directory_end_64) bad("the zip64 directory is not where it should be");
      count = number<std::uint64_t>(end64 + 32);
      size = number<std::uint64_t>(end64 + 40);
      at = number<std::uint64_t>(end64 + 48);
    }
    need(at, size, "the directory");
    if (count > size / entry_size) bad("the directory names more entries than it has room for");
    for (std::uint64_t i = 0; i < count; ++i) at = read_entry(at);
    check_unpacking();
  }

  /// Small archives that unpack to enormous sizes do so by very even data, or by entries that share their bytes.
  void check_unpacking() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    const std::uint64_t most = max_ratio * bytes().size() + (std::uint64_t{1} << 24);
    for (const auto& [name, entry] : entries_) {
      places.emplace_back(entry.begin, entry.begin + entry.packed);
      if (entry.size > most || (unpacked_ += entry.size) > most) {
        bad("it claims to unpack to more than ", max_ratio, " times its own size");
      }
    }
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i) {
      if (places[i].first < places[i - 1].second) bad("two entries share their bytes");
    }
  }

  /// Reads a directory entry and returns where the next begins.
  std::uint64_t read_entry(std::uint64_t at) {
    need(at, entry_size, "a directory entry");
    if (number<std::uint32_t>(at) != directory_entry) bad("a directory entry is damaged");
    const auto flags = number<std::uint16_t>(at + 8);
    Entry entry;
    entry.method = number<std::uint16_t>(at + 10);
    entry.packed = number<std::uint32_t>(at + 20);
    entry.size = number<std::uint32_t>(at + 24);
    const auto name_length = number<std::uint16_t>(at + 28);
    const auto extra_length = number<std::uint16_t>(at + 30);
    const auto comment_length = number<std::uint16_t>(at + 32);
    std::uint64_t local = number<std::uint32_t>(at + 42);
    const std::uint64_t name_at = at + entry_size;
    need(name_at, std::uint64_t{name_length} + extra_length + comment_length, "a directory entry");
    std::string name(reinterpret_cast<const char*>(bytes().data()) + name_at, name_length);
    read_extra(name_at + name_length, extra_length, entry, local);

    if ((flags & 1u) != 0) bad("entry '", name, "' is encrypted");
    if (entry.method != stored && entry.method != deflated) {
      bad("entry '", name, "' is packed by method ", entry.method, "; only stored and deflated entries can be read");
    }
    if (entry.method == stored && entry.size != entry.packed) bad("entry '", name, "' has two sizes");
    if (entry.method == deflated && entry.size / max_deflate_ratio > entry.packed) {
      bad("entry '", name, "' claims to unpack to ", entry.size, " bytes, which its ", entry.packed, " cannot hold");
    }
    need(local, local_size, "an entry");
    if (number<std::uint32_t>(local) != local_entry) bad("entry '", name, "' is not where the directory says");
    entry.begin = local + local_size + number<std::uint16_t>(local + 26) + number<std::uint16_t>(local + 28);
    need(entry.begin, entry.packed, "an entry");
    const auto [place, fresh] = entries_.emplace(std::move(name), entry);
    if (!fresh) bad("two entries are named '", place->first, "'");
    return name_at + name_length + extra_length + comment_length;
  }

  /// Sizes and places that do not fit 32 bits stand in the zip64 extra field, in this order.
  void read_extra(std::uint64_t at, std::uint64_t length, Entry& entry, std::uint64_t& local) const {
    const std::uint64_t end = at + length;
    while (at + 4 <= end) {
      const auto id = number<std::uint16_t>(at);
      const auto size = number<std::uint16_t>(at + 2);
      at += 4;
      if (at + size > end) bad("an extra field of the directory is damaged");
      if (id == 1) {
        std::uint64_t next = at;
        for (std::uint64_t* value : {&entry.size, &entry.packed, &local}) {
          if (*value != 0xffffffffu) continue;
          if (next + 8 > at + size) bad("a zip64 field of the directory is damaged");
          *value = number<std::uint64_t>(next);
          next += 8;
        }
      }
      at += size;
    }
  }

  void inflate(std::string_view name, Entry& entry) {
    std::vector<std::byte> out(entry.size + 1);  // zlib wants a place to write even for nothing
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) bad("zlib cannot start");
    std::uint64_t read = 0;
    std::uint64_t written = 0;
    int code = Z_OK;
    constexpr std::uint64_t most = std::uint64_t{1} << 30;  // zlib counts in 32 bits
    while (code == Z_OK) {
      stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes().data() + entry.begin + read));
      stream.avail_in = static_cast<uInt>(std::min(most, entry.packed - read));
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
      stream.avail_out = static_cast<uInt>(std::min(most, out.size() - written));
      const uInt in = stream.avail_in;
      const uInt room = stream.avail_out;
      code = ::inflate(&stream, Z_NO_FLUSH);
      read += in - stream.avail_in;
      written += room - stream.avail_out;
    }
    inflateEnd(&stream);
    if (code != Z_STREAM_END || written != entry.size) bad("entry '", name, "' does not unpack to what it should");
    out.pop_back();
    entry.inflated = &inflated_.emplace_back(std::move(out));
  }

  MappedFile file_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t unpacked_ = 0;
  std::deque<std::vector<std::byte>> inflated_;
};

}  // namespace vjepa
