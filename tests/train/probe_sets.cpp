#include "vjepa/train/probe_sets.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/train/probe_settings.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

struct Images {
  TemporaryFolder folder;
  ProbeConfig config;
  Images() {
    for (const char* file : {"train/b/1.jpg", "train/a/2.jpg", "val/a/3.jpg", "val/b/4.jpg"}) add(file);
    config.kind = ProbeConfig::Kind::image;
    config.data.root_path = folder.path().parent_path().string();
    config.data.image_folder = folder.path().filename().string();
    config.data.num_classes = 2;
  }
  void add(const std::string& file) const {
    std::filesystem::create_directories((folder.path() / file).parent_path());
    write_bytes(folder.path() / file, "x");
  }
};

ProbeConfig lists(const TemporaryFolder& folder, const std::string& train, const std::string& val) {
  write_bytes(folder.path() / "train.csv", train);
  write_bytes(folder.path() / "val.csv", val);
  ProbeConfig config;
  config.data.dataset_train = (folder.path() / "train.csv").string();
  config.data.dataset_val = (folder.path() / "val.csv").string();
  config.data.num_classes = 3;
  return config;
}

}  // namespace

TEST_CASE("image folders give sets whose classes bear the folders' names") {
  const Images images;
  const ProbeSets sets(images.config);
  CHECK(sets.classes == std::vector<std::string>{"a", "b"});
  CHECK(sets.train.size() == 2);
  CHECK(sets.train.label(1) == 1);
  CHECK(sets.val.path(1).filename() == "4.jpg");
}

TEST_CASE("image folders that do not fit are refused by name") {
  Images images;
  images.config.data.num_classes = 3;
  CHECK_THROWS_WITH(ProbeSets(images.config), Contains("/train: holds 2 class folders; data.num_classes is 3"));
  images.config.data.num_classes = 2;
  std::filesystem::remove(images.folder.path() / "val/b/4.jpg");
  CHECK_THROWS_WITH(ProbeSets(images.config), Contains("/val/b: the class is empty"));
  std::filesystem::remove(images.folder.path() / "val/b");
  images.add("val/c/5.jpg");
  CHECK_THROWS_WITH(ProbeSets(images.config), Contains("/val: its class folders are not those of the training set"));
}

TEST_CASE("a label that no class has is named with its line") {
  const TemporaryFolder folder;
  CHECK(ProbeSets(lists(folder, "/a.mp4 0\n", "/b.mp4 2\n")).classes == std::vector<std::string>{"0", "1", "2"});
  CHECK_THROWS_WITH(ProbeSets(lists(folder, "/a.mp4 0\n", "/b.mp4 1\n/c.mp4 3\n")),
                    Contains("val.csv:2: label 3; with data.num_classes 3, labels are 0 to 2"));
  CHECK_THROWS_WITH(ProbeSets(lists(folder, "/a.mp4 -1\n", "/b.mp4 1\n")), Contains("train.csv:1: label -1"));
}

TEST_CASE("names of classes come from a file of as many lines") {
  const TemporaryFolder folder;
  ProbeConfig config = lists(folder, "/a.mp4 0\n", "/b.mp4 2\n");
  config.data.class_names = (folder.path() / "names.txt").string();
  write_bytes(config.data.class_names, "run\r\nwalk around\nsit\n");
  CHECK(ProbeSets(config).classes == std::vector<std::string>{"run", "walk around", "sit"});
  write_bytes(config.data.class_names, "run\nwalk\n");
  CHECK_THROWS_WITH(ProbeSets(config), Contains("names.txt: names 2 classes") && Contains("there are 3"));
}

TEST_CASE("settings come back from their text") {
  ProbeConfig config;
  config.kind = ProbeConfig::Kind::image;
  config.tag = "a \"tag\"";
  config.data.clip_duration = 1.25;
  config.data.num_classes = 7;
  config.optimization.lr = 0.1;
  config.optimization.dtype = Precision::bfloat16;
  config.data_aug.random_resize_scale = {0.25, 0.5};
  const std::string text = probe_settings(config).dump();
  const ProbeConfig again = read_probe_settings(text, "file");
  CHECK(probe_settings(again).dump() == text);
  CHECK(again.data.clip_duration == 1.25);
  CHECK(again.data_aug.random_resize_scale == std::array<double, 2>{0.25, 0.5});
  CHECK_THROWS_WITH(read_probe_settings("{}", "a.safetensors"), Contains("a.safetensors: its settings cannot be read"));
}
