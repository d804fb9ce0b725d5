#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace vjepa {

/// What the library throws when its input is unusable: a file, a configuration, a size. The message
/// says what was wrong, where, and what to do; it is meant to be shown to the user as it stands.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Streams every part into one string: `text("row ", 3, " of ", path)`.
template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

/// Throws Error with the streamed parts as its message.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(text(parts...));
}

}  // namespace vjepa
