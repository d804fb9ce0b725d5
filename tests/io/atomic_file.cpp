#include "vjepa/io/atomic_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

TEST_CASE("a file that is not committed leaves what was there and nothing beside it") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  write_file(path, "before");
  {
    AtomicFile file(path);
    file.write("after");
  }
  CHECK(bytes_of(path) == "before");
  write_file(path, "after");
  CHECK(bytes_of(path) == "after");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("what a killed program left is written over") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  std::ofstream(AtomicFile(path).temporary()) << "a longer text than the next";
  write_file(path, "short");
  CHECK(bytes_of(path) == "short");
}

TEST_CASE("writers of one name take turns, each of which is whole") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&path, text = std::string(100000, letter)] {
      for (int i = 0; i < 20; ++i) {
        write_file(path, text);
        const std::string found = bytes_of(path);
        if (found != std::string(100000, found[0])) write_file(path.string() + ".torn", found);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(!fs::exists(path.string() + ".torn"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a file that cannot be written is an error that names it") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(write_file(folder.path() / "none/a", "x"), Contains("none/a: cannot write here"));
  CHECK_THROWS_WITH(write_file(folder.path(), "x"), Contains("cannot replace"));
}
