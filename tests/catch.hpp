#pragma once

// Catch2 2.x (Debian 12) and 3.x under one name, and what every test needs: where reference files are, and a skip
// that ctest reports as one.
#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto Contains(const std::string& text) {
  return Catch::Matchers::ContainsSubstring(text);
}
#else
#include <catch2/catch.hpp>
using Catch::Contains;
#endif

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

// Whether a sanitizer is on, which ends the program where memory does not suffice: g++ has a macro, clang a feature.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VJEPA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VJEPA_SANITIZED
#endif
#endif

/// Ends the test case; ctest counts it as skipped and shows the reason.
#define VJEPA_SKIP(reason)                           \
  do {                                               \
    std::cout << "SKIPPED: " << reason << std::endl; \
    SUCCEED();                                       \
    return;                                          \
  } while (false)

namespace vjepa::test {

/// A folder named by an environment variable, or its default beside the checkout; empty where there is none.
inline std::filesystem::path folder(const char* variable, const char* beside_checkout) {
  const char* given = std::getenv(variable);
  const std::filesystem::path path =
      given != nullptr ? std::filesystem::path(given) : std::filesystem::path(VJEPA_SOURCE_DIR) / beside_checkout;
  return std::filesystem::is_directory(path) ? path : std::filesystem::path();
}

inline std::filesystem::path golden_dir() {
  return folder("VJEPA_GOLDEN_DIR", "../shared/golden");
}
inline std::filesystem::path media_dir() {
  return folder("VJEPA_MEDIA_DIR", "../shared/media");
}

/// A fresh folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vjepa-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace vjepa::test

/// The path of the reference file, or a skip.
#define VJEPA_GOLDEN(name)                \
  (::vjepa::test::golden_dir() / (name)); \
  if (::vjepa::test::golden_dir().empty()) VJEPA_SKIP("no golden files; set VJEPA_GOLDEN_DIR to their folder")
#define VJEPA_MEDIA(name)                \
  (::vjepa::test::media_dir() / (name)); \
  if (::vjepa::test::media_dir().empty()) VJEPA_SKIP("no media files; set VJEPA_MEDIA_DIR to their folder")
