#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "vjepa/io/atomic_file.hpp"

namespace vjepa {

/// Writes a zip archive of stored entries (APPNOTE.TXT 6.3, with zip64 records where 32 bits do not do), whole or not
/// at all. The data of each entry begins at a multiple of `alignment` bytes, so that it can be used where it is mapped.
class ZipWriter {
 public:
  explicit ZipWriter(const std::filesystem::path& path) : file_(path) {}

  void add(std::string_view name, std::span<const std::byte> data) {
    const Entry entry{.name = std::string(name), .crc = crc_of(data), .size = data.size(), .at = at_};
    const bool large = entry.size >= limit32;
    const std::uint64_t data_at = at_ + 30 + name.size() + (large ? 20 : 0) + 4;  // 4: head of the padding field
    const std::uint64_t padding = (alignment - data_at % alignment) % alignment;
    record_.clear();
    put<std::uint32_t>(0x04034b50);
    put_common(entry, large ? limit32 : entry.size, (large ? 20 : 0) + 4 + padding);
    record_ += name;
    if (large) {
      put<std::uint16_t>(1);
      put<std::uint16_t>(16);
      put<std::uint64_t>(entry.size);
      put<std::uint64_t>(entry.size);
    }
    put<std::uint16_t>(padding_field);
    put<std::uint16_t>(padding);
    record_.append(padding, '\0');
    write_record();
    file_.write(data);
    at_ += data.size();
    entries_.push_back(entry);
  }
  void add(std::string_view name, std::string_view data) { add(name, std::as_bytes(std::span(data))); }

  /// Ends the archive and gives the file its name.
  void commit() {
    const std::uint64_t begin = at_;
    for (const Entry& entry : entries_) write_directory_entry(entry);
    const std::uint64_t size = at_ - begin;
    const std::uint64_t count = entries_.size();
    const bool large = begin >= limit32 || size >= limit32 || count >= 0xffff;
    record_.clear();
    if (large) {
      put<std::uint32_t>(0x06064b50);
      put<std::uint64_t>(44);  // bytes that follow
      put<std::uint16_t>(version);
      put<std::uint16_t>(version);
      put<std::uint64_t>(0);  // disks
      put<std::uint64_t>(count);
      put<std::uint64_t>(count);
      put<std::uint64_t>(size);
      put<std::uint64_t>(begin);
      put<std::uint32_t>(0x07064b50);
      put<std::uint32_t>(0);
      put<std::uint64_t>(at_);
      put<std::uint32_t>(1);
    }
    put<std::uint32_t>(0x06054b50);
    put<std::uint32_t>(0);
    put<std::uint16_t>(std::min<std::uint64_t>(count, 0xffff));
    put<std::uint16_t>(std::min<std::uint64_t>(count, 0xffff));
    put<std::uint32_t>(std::min(size, limit32));
    put<std::uint32_t>(std::min(begin, limit32));
    put<std::uint16_t>(0);
    write_record();
    file_.commit();
  }

 private:
  static constexpr std::uint64_t alignment = 64;
  static constexpr std::uint64_t limit32 = 0xffffffff;
  static constexpr std::uint16_t version = 45;  // of the standard: zip64
  static constexpr std::uint16_t padding_field = 0x4246;

  struct Entry {
    std::string name;
    std::uint32_t crc;
    std::uint64_t size;
    std::uint64_t at;  // of the local header
  };

  static std::uint32_t crc_of(std::span<const std::byte> data) {
    return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
  }

  template <class T>
  void put(std::uint64_t value) {
    static_assert(std::is_unsigned_v<T>);
    for (std::size_t i = 0; i < sizeof(T); ++i) record_ += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  /// What a local header and a directory entry share, from the version to the length of the extra field.
  void put_common(const Entry& entry, std::uint64_t size, std::uint64_t extra) {
    put<std::uint16_t>(version);
    put<std::uint16_t>(0);           // flags
    put<std::uint16_t>(0);           // stored
    put<std::uint32_t>(0x00210000);  // 1980-01-01: the same values make the same bytes
    put<std::uint32_t>(entry.crc);
    put<std::uint32_t>(size);
    put<std::uint32_t>(size);
    put<std::uint16_t>(entry.name.size());
    put<std::uint16_t>(extra);
  }
  void write_record() {
    file_.write(record_);
    at_ += record_.size();
  }

  void write_directory_entry(const Entry& entry) {
    const bool large = entry.size >= limit32;
    const bool far = entry.at >= limit32;
    const std::uint64_t field = (large ? 16 : 0) + (far ? 8 : 0);
    record_.clear();
    put<std::uint32_t>(0x02014b50);
    put<std::uint16_t>(version);
    put_common(entry, large ? limit32 : entry.size, field > 0 ? 4 + field : 0);
    put<std::uint16_t>(0);  // comment
    put<std::uint16_t>(0);  // disk
    put<std::uint16_t>(0);  // attributes
    put<std::uint32_t>(0);
    put<std::uint32_t>(far ? limit32 : entry.at);
    record_ += entry.name;
    if (field > 0) {
      put<std::uint16_t>(1);
      put<std::uint16_t>(field);
      if (large) {
        put<std::uint64_t>(entry.size);
        put<std::uint64_t>(entry.size);
      }
      if (far) put<std::uint64_t>(entry.at);
    }
    write_record();
  }

  AtomicFile file_;
  std::vector<Entry> entries_;
  std::string record_;
  std::uint64_t at_ = 0;
};

}  // namespace vjepa
