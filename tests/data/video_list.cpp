#include "vjepa/data/video_list.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

std::filesystem::path csv(const TemporaryFolder& folder, const std::string& content) {
  const auto path = folder.path() / "list.csv";
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

}  // namespace

TEST_CASE("a list gives paths and labels, quoted and with either line end") {
  const TemporaryFolder folder;
  VideoList list;
  list.add(csv(folder, "/a/b.mp4 3\r\n\n\"/with space/\"\"q\"\".mp4\" -1\n/c.mp4 0"));
  REQUIRE(list.size() == 3);
  CHECK(list.path(0) == "/a/b.mp4");
  CHECK(list.label(0) == 3);
  CHECK(list.path(1) == "/with space/\"q\".mp4");
  CHECK(list.label(1) == -1);
  CHECK(list.path(2) == "/c.mp4");
}

TEST_CASE("a bad line is named") {
  const TemporaryFolder folder;
  VideoList list;
  CHECK_THROWS_WITH(list.add(csv(folder, "/a.mp4 1\n/b.mp4\n")), Contains("list.csv:2: the label is missing"));
  CHECK_THROWS_WITH(list.add(csv(folder, "/a.mp4 one\n")), Contains("list.csv:1: the label is no whole number"));
  CHECK_THROWS_WITH(list.add(csv(folder, "\"/a.mp4 1\n")), Contains("list.csv:1: a quote is not closed"));
  CHECK_THROWS_WITH(list.add(csv(folder, "/a b.mp4 1\n")), Contains("list.csv:1: the label is no whole number"));
  CHECK_THROWS_WITH(list.add(csv(folder, "\n\n")), Contains("lists no videos"));
  CHECK_THROWS_WITH(list.add(folder.path() / "none.csv"), Contains("no such list or folder"));
}

TEST_CASE("a video in the place of a list is told from one") {
  VideoList list;
  CHECK_THROWS_WITH(list.add("clip.mp4"), Contains("clip.mp4: is named as a video; give its folder, or a CSV list"));
}

TEST_CASE("a folder gives its videos in the order of their names, and says when it has none") {
  const TemporaryFolder folder;
  VideoList list;
  CHECK_THROWS_WITH(list.add(folder.path()), Contains("holds no files that are named as videos"));
  std::filesystem::create_directory(folder.path() / "sub");
  for (const char* name : {"z.mp4", "a.MKV", "sub/b \"c\".avi", "note.txt"}) std::ofstream(folder.path() / name) << "x";
  list.add(folder.path());
  REQUIRE(list.size() == 3);
  CHECK(list.path(0) == folder.path() / "a.MKV");
  CHECK(list.path(1) == folder.path() / "sub/b \"c\".avi");
  CHECK(list.path(2) == folder.path() / "z.mp4");
}

TEST_CASE("a source that cannot be added leaves the list as it was") {
  const TemporaryFolder folder;
  VideoList list;
  CHECK_THROWS_WITH(list.add(csv(folder, "/lost.mp4 1\nbad\n")), Contains("list.csv:2"));
  std::filesystem::create_directories(folder.path() / "classes/a");
  std::filesystem::create_directories(folder.path() / "classes/b");
  write_bytes(folder.path() / "classes/a/1.jpg", "x");
  CHECK_THROWS_WITH(list.add_classes(folder.path() / "classes", is_image_name), Contains("/b: the class is empty"));
  CHECK(list.size() == 0);
  list.add(csv(folder, "/b.mp4 2\n"));
  CHECK_THROWS_WITH(list.add(csv(folder, "/lost.mp4 1\nbad\n")), Contains("list.csv:2"));
  list.add(csv(folder, "/c.mp4 3\n"));
  REQUIRE(list.size() == 2);
  CHECK(list.path(0) == "/b.mp4");
  CHECK(list.path(1) == "/c.mp4");
  CHECK(list.label(1) == 3);
  for (std::uint64_t k = 0; k < 20; ++k) CHECK(list.at(1, k, std::vector<double>{0, 1}) == 1);
}

TEST_CASE("links are followed, and a folder is entered once wherever they lead") {
  const TemporaryFolder folder;
  const auto videos = folder.path() / "videos";
  std::filesystem::create_directories(videos / "sub");
  std::filesystem::create_directories(folder.path() / "beside");
  for (const char* name : {"videos/a.mp4", "videos/sub/b.mp4", "beside/c.mp4"}) write_bytes(folder.path() / name, "x");
  for (const char* name : {"back", "round"}) std::filesystem::create_directory_symlink(videos, videos / name);
  std::filesystem::create_directory_symlink(videos / "sub", videos / "early");
  std::filesystem::create_directory_symlink(folder.path() / "beside", videos / "sub/out");
  std::filesystem::create_directory_symlink(videos, folder.path() / "beside/home");
  VideoList list;
  list.add(videos);
  REQUIRE(list.size() == 3);
  CHECK(list.path(0) == videos / "a.mp4");
  CHECK(list.path(1) == videos / "sub/b.mp4");
  CHECK(list.path(2) == videos / "sub/out/c.mp4");
}

TEST_CASE("every video comes once before any comes again; weights choose between sources") {
  const TemporaryFolder folder;
  VideoList list;
  list.add(csv(folder, "/a 0\n/b 0\n/c 0\n"));
  list.add(csv(folder, "/d 1\n"));
  for (std::uint64_t pass = 0; pass < 20; ++pass) {
    std::set<Index> seen;
    for (std::uint64_t k = 0; k < 4; ++k) seen.insert(list.at(1, pass * 4 + k, {}));
    CHECK(seen.size() == 4);
  }
  int last = 0;
  for (std::uint64_t k = 0; k < 4000; ++k) last += list.at(1, k, std::vector<double>{1, 3}) == 3 ? 1 : 0;
  CHECK(last == Approx(3000).margin(120));  // four standard deviations
}

TEST_CASE("class folders give labels by the order of their names") {
  const TemporaryFolder folder;
  for (const char* file : {"b/1.jpg", "b/deep/2.PNG", "a/3.webp", "a/notes.txt"}) {
    std::filesystem::create_directories((folder.path() / file).parent_path());
    write_bytes(folder.path() / file, "x");
  }
  VideoList list;
  CHECK(list.add_classes(folder.path(), is_image_name) == std::vector<std::string>{"a", "b"});
  REQUIRE(list.size() == 3);
  CHECK(list.path(0) == folder.path() / "a/3.webp");
  CHECK(list.label(0) == 0);
  CHECK(list.label(2) == 1);
  CHECK(list.where(2) == list.path(2).string());
  std::filesystem::create_directory(folder.path() / "c");
  CHECK_THROWS_WITH(list.add_classes(folder.path(), is_image_name), Contains("/c: the class is empty"));
  CHECK_THROWS_WITH(list.add_classes(folder.path() / "c", is_image_name), Contains("/c: holds no class folders"));
}

TEST_CASE("a list says where it names a video") {
  const TemporaryFolder folder;
  VideoList list;
  list.add(csv(folder, "/a.mp4 1\n\n/b.mp4 2\n"));
  CHECK(list.where(0) == (folder.path() / "list.csv").string() + ":1");
  CHECK(list.where(1) == (folder.path() / "list.csv").string() + ":3");
}
