#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "vjepa/core/error.hpp"

namespace vjepa {

/// A file as read-only memory: pages come in when they are touched, so that a checkpoint larger than what is
/// wanted of it costs only what is wanted. The file must keep its length while it is mapped: where another program cuts
/// it short, the next touch of what is gone ends this one with SIGBUS. Files that are replaced (AtomicFile) stay whole.
class MappedFile {
 public:
  /// Throws Error when the file cannot be opened, is no regular file, or is empty.
  explicit MappedFile(const std::filesystem::path& path) : path_(path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe is refused, not waited for
    if (file < 0) fail(path.string(), ": cannot open: ", std::strerror(errno));
    struct stat status {};
    const bool known = ::fstat(file, &status) == 0;
    if (!known || !S_ISREG(status.st_mode) || status.st_size <= 0) {
      ::close(file);
      fail(path.string(), known && S_ISREG(status.st_mode) ? ": the file is empty" : ": not a regular file");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    const int error = errno;
    ::close(file);
    if (data_ == MAP_FAILED) {
      data_ = nullptr;
      fail(path.string(), ": cannot map into memory: ", std::strerror(error));
    }
  }
  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  std::filesystem::path path_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vjepa
