#pragma once

#include <csignal>

/// Ctrl-C and SIGTERM, as programs with long work take them.
namespace program {

inline volatile std::sig_atomic_t interrupt_asked = 0;

inline bool interrupted() {
  return interrupt_asked != 0;
}

/// From here on the first signal asks to end, which `interrupted` tells; a second ends the program at once.
inline void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupt_asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace program
