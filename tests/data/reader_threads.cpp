#include "vjepa/data/reader_threads.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace vjepa;

namespace {

/// Threads that start of `wanted` in a process that may take so much more address space; below 0 when it fails.
int started(int wanted, std::size_t more_bytes) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit limit{pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more_bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &limit);
    std::atomic<bool> end{false};
    int count = -1;
    try {
      std::vector<std::thread> threads = start_readers(wanted, [&] {
        while (!end) std::this_thread::yield();
      });
      count = static_cast<int>(threads.size());
      end = true;
      for (std::thread& t : threads) t.join();
    } catch (const Error&) {
    }
    ::_exit(count + 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) - 1 : -2;
}

}  // namespace

TEST_CASE("as many threads read as are wanted, at least one, and fewer where there are no more") {
  CHECK(started(3, std::size_t{1} << 40) == 3);
  CHECK(started(0, std::size_t{1} << 40) == 1);
#ifdef VJEPA_SANITIZED
  VJEPA_SKIP("sanitizers take more address space than a limit would leave");
#endif
  const int few = started(100, std::size_t{256} << 20);  // a stack takes 8 MB of it
  CHECK(few >= 1);
  CHECK(few < 100);
}
