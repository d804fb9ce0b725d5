#pragma once

extern "C" {
#include <libavutil/mem.h>
#include <libavutil/sha.h>
}

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace vjepa {

/// SHA-256 (FIPS 180-4), FFmpeg's: a name for bytes that no other bytes have.
class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  Sha256() : state_(av_sha_alloc()) {
    if (!state_) throw std::bad_alloc();
    av_sha_init(state_.get(), 256);
  }

  void add(std::span<const std::byte> bytes) {
    av_sha_update(state_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }

  /// The digest of all that was added; nothing may be added after.
  Digest finish() {
    Digest digest{};
    av_sha_final(state_.get(), digest.data());
    return digest;
  }

 private:
  struct Free {
    void operator()(AVSHA* state) const { av_free(state); }
  };
  std::unique_ptr<AVSHA, Free> state_;
};

/// A digest in hexadecimal.
inline std::string hex(const Sha256::Digest& digest) {
  std::string out;
  for (const std::uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace vjepa
