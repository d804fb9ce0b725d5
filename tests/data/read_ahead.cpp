#include "vjepa/data/read_ahead.hpp"

#include <atomic>
#include <barrier>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using Numbers = ReadAhead<int>;

namespace {

std::vector<int> taken(Numbers& numbers, Index source) {
  std::vector<int> all;
  while (const auto item = numbers.next(source)) all.push_back(*item);
  return all;
}

}  // namespace

TEST_CASE("items come source by source, in order, whatever the number of threads") {
  for (const int threads : {1, 3, 8}) {
    std::atomic<int> held{0};
    std::atomic<int> most{0};
    Numbers numbers(6, threads, 3, Numbers::Full::wait, [&](Index source, const Numbers::Emit& emit) {
      for (int i = 0; i < 5; ++i) {
        if (!emit(static_cast<int>(source) * 10 + i)) return;
        most = std::max(most.load(), ++held);
      }
    });
    for (int source = 0; source < 6; ++source) {
      std::vector<int> got;
      while (const auto item = numbers.next(source)) {
        --held;
        got.push_back(*item);
      }
      CHECK(got == std::vector<int>{source * 10, source * 10 + 1, source * 10 + 2, source * 10 + 3, source * 10 + 4});
    }
    // The capacity, one for the source waited for, and those that a thread has handed over and not counted yet.
    CHECK(most.load() <= 3 + 1 + threads);
  }
}

TEST_CASE("a source that fails gives what it had, then its error, and the others go on") {
  Numbers numbers(3, 2, 4, Numbers::Full::wait, [](Index source, const Numbers::Emit& emit) {
    emit(1);
    if (source == 1) throw std::runtime_error("broken");
    emit(2);
  });
  CHECK(taken(numbers, 0) == std::vector<int>{1, 2});
  CHECK(numbers.next(1) == 1);
  CHECK_THROWS_WITH(numbers.next(1), "broken");
  CHECK(taken(numbers, 2) == std::vector<int>{1, 2});
}

TEST_CASE("what a source has given is forgotten, and there is no more of it however often it is asked for") {
  Numbers numbers(3, 2, 4, Numbers::Full::wait, [](Index source, const Numbers::Emit& emit) {
    if (source == 1) return;
    emit(static_cast<int>(source));
    if (source == 2) throw std::runtime_error("broken");
  });
  CHECK(taken(numbers, 0) == std::vector<int>{0});
  CHECK_FALSE(numbers.next(0).has_value());
  CHECK(taken(numbers, 1).empty());
  CHECK_FALSE(numbers.next(1).has_value());
  CHECK(numbers.next(2) == 2);
  CHECK_THROWS_WITH(numbers.next(2), "broken");
  CHECK_FALSE(numbers.next(2).has_value());
}

TEST_CASE("as many sources are read at once as there are threads") {
  std::barrier together(3);
  Numbers numbers(6, 3, 2, Numbers::Full::wait, [&](Index source, const Numbers::Emit& emit) {
    together.arrive_and_wait();
    emit(static_cast<int>(source));
  });
  for (int source = 0; source < 6; ++source) CHECK(numbers.next(source) == source);
}

TEST_CASE("a full queue drops its oldest items where it must keep up") {
  std::atomic<bool> done{false};
  Numbers numbers(1, 1, 3, Numbers::Full::drop_oldest, [&](Index, const Numbers::Emit& emit) {
    for (int i = 0; i < 10; ++i) emit(i);
    done = true;
  });
  while (!done) std::this_thread::yield();
  CHECK(taken(numbers, 0) == std::vector<int>{7, 8, 9});
  CHECK(numbers.dropped() == 7);
}

TEST_CASE("many short sources are not all read at once") {
  std::atomic<int> read{0};
  Numbers numbers(1000, 4, 5, Numbers::Full::wait, [&](Index source, const Numbers::Emit& emit) {
    ++read;
    emit(static_cast<int>(source));
  });
  for (Index source = 0; source < 100; ++source) {
    CHECK(taken(numbers, source) == std::vector<int>{static_cast<int>(source)});
    CHECK(read.load() <= source + 1 + 5 + 1 + 4);
  }
}

TEST_CASE("stopping ends sources that wait") {
  Numbers numbers(4, 2, 1, Numbers::Full::wait, [](Index, const Numbers::Emit& emit) {
    while (emit(0)) {
    }
  });
  CHECK(numbers.next(0) == 0);
  numbers.stop();
  taken(numbers, 0);
  CHECK_FALSE(numbers.next(3).has_value());
}
