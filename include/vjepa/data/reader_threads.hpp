#pragma once

#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "vjepa/core/error.hpp"

namespace vjepa {

/// `count` threads that each call `work`, at least one; fewer where the system gives no more, which costs time alone.
/// Throws Error when it gives none. They are to be joined.
inline std::vector<std::thread> start_readers(int count, const std::function<void()>& work) {
  std::vector<std::thread> threads;
  try {
    do threads.emplace_back(work);
    while (static_cast<int>(threads.size()) < count);
  } catch (const std::system_error& e) {
    if (threads.empty()) fail("no thread can be started to read with: ", e.what(), "; end other programs");
  }
  return threads;
}

}  // namespace vjepa
