#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "vjepa/core/error.hpp"

namespace vjepa {

/// A file that is written whole or not at all: bytes go to a temporary file beside it, `commit` makes them
/// durable and gives them the name. Until then, and when it fails, what had the name before stays untouched.
class AtomicFile {
 public:
  /// Throws Error when the folder cannot be written, or another writer of this name does not end within `patience`.
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
    temporary_ += ".tmp";  // always the same name, so that a killed program leaves one file at most
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!open()) {
      if (std::chrono::steady_clock::now() > give_up) {
        fail(path_.string(), ": is being written by another; wait for its end, or choose another name");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  AtomicFile(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ < 0) return;
    ::unlink(temporary_.c_str());  // before others may have it
    ::close(file_);
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      // The kernel writes at most 2 GiB a call.
      const ::ssize_t count = ::write(file_, bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(path_.string(), ": cannot write: ", std::strerror(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Overwrites the file's beginning, for a header that is known last.
  void rewrite_begin(std::string_view text) {
    if (::lseek(file_, 0, SEEK_SET) != 0) fail(path_.string(), ": cannot write: ", std::strerror(errno));
    write(text);
    if (::lseek(file_, 0, SEEK_END) < 0) fail(path_.string(), ": cannot write: ", std::strerror(errno));
  }

  /// Where the bytes are until `commit`, for libraries that want a path to write to.
  const std::filesystem::path& temporary() const { return temporary_; }

  void commit() {
    if (::fsync(file_) != 0) fail(path_.string(), ": cannot write: ", std::strerror(errno));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      fail(path_.string(), ": cannot replace: ", std::strerror(errno));
    }
    ::close(file_);
    file_ = -1;
    sync_folder();
  }

 private:
  static constexpr std::chrono::seconds patience{10};

  /// Opens the temporary file for this writer alone; false where another has it. A file system without locks is left to
  /// one writer.
  bool open() {
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) fail(path_.string(), ": cannot write here: ", std::strerror(errno));
    const bool others = ::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    const bool mine = !others && is_named();
    if (mine && ::ftruncate(file_, 0) == 0) return true;
    const int reason = errno;
    ::close(std::exchange(file_, -1));
    if (mine) fail(path_.string(), ": cannot write: ", std::strerror(reason));
    return false;
  }

  /// Whether the open file still bears the temporary name, and not that which the writer before has given it.
  bool is_named() const {
    struct stat opened {};
    struct stat named {};
    return ::fstat(file_, &opened) == 0 && ::stat(temporary_.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
  }

  // A rename is durable once its folder is; a file system that cannot sync folders needs no sync either.
  void sync_folder() const {
    const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
    const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    ::fsync(file);
    ::close(file);
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int file_ = -1;
};

/// Replaces the contents of a file, whole or not at all.
inline void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace vjepa
