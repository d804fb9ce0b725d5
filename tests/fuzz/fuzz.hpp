#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "vjepa/core/error.hpp"
#include "vjepa/io/stored_tensor.hpp"

namespace vjepa::fuzz {

/// Hands the bytes to `read` as a file. An Error is as good an end as none; anything else ends the program.
template <class Read>
void with_file(std::string_view bytes, Read&& read) {
  const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<::ssize_t>(bytes.size())) std::abort();
  try {
    read(std::filesystem::path("/proc/self/fd/" + std::to_string(file)));
  } catch (const Error&) {
  }
  ::close(file);
}

/// Touches every byte that a tensor claims to have, so that a sanitizer sees those that are not there.
inline void touch(const StoredTensor& tensor) {
  static volatile unsigned sum = 0;
  for (const std::byte b : tensor.bytes) sum = sum + static_cast<unsigned>(b);
  const auto size = bytes_of_shape(tensor.dtype, tensor.shape, tensor.bytes.size());
  if (!size || *size != tensor.bytes.size()) std::abort();
}

}  // namespace vjepa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
