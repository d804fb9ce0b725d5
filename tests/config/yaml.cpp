#include "vjepa/config/yaml.hpp"

#include <fstream>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

struct File {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "run.yaml";
  explicit File(const std::string& content) { std::ofstream(path) << content; }
};

}  // namespace

TEST_CASE("values are read by type, nulls and absences give the fallback") {
  const File file("a: 3\nb: 1.0e-06\nc: true\nd: text\ne: [1, 2, 3]\nf: null\ng:\n  h: [0.3, 1.0]\n");
  YamlSection root = read_yaml(file.path);
  CHECK(root.required<int>("a") == 3);
  CHECK(root.required<double>("b") == 1e-6);
  CHECK(root.required<bool>("c"));
  CHECK(root.required<std::string>("d") == "text");
  CHECK(root.required<std::vector<int>>("e") == std::vector<int>{1, 2, 3});
  CHECK(root.get<int>("f", 7) == 7);
  CHECK_FALSE(root.find<int>("f").has_value());
  CHECK(root.get<int>("nowhere", 8) == 8);
  YamlSection g = root.section("g");
  CHECK(g.required<std::array<double, 2>>("h") == std::array<double, 2>{0.3, 1.0});
  g.finish();
  root.finish();
}

TEST_CASE("a value of another type is named with file and line") {
  const File file("x: 1\nsection:\n  epochs: many\n  scale: [1, 2, 3]\n  flag: 7\n  whole: 1.5\n");
  YamlSection root = read_yaml(file.path);
  YamlSection s = root.section("section");
  CHECK_THROWS_WITH(s.required<int>("epochs"),
                    Contains("run.yaml:3: ") && Contains("'section.epochs' must be a whole number, it is 'many'"));
  CHECK_THROWS_WITH((s.required<std::array<double, 2>>("scale")), Contains("run.yaml:4: ") && Contains("two values"));
  CHECK_THROWS_WITH(s.required<bool>("flag"), Contains("run.yaml:5: ") && Contains("true or false"));
  CHECK_THROWS_WITH(s.required<int>("whole"), Contains("run.yaml:6: ") && Contains("'1.5'"));
  CHECK_THROWS_WITH(s.required<int>("absent"), Contains("'section.absent' is missing"));
  CHECK_THROWS_WITH(root.section("x"), Contains("run.yaml:1: ") && Contains("a mapping"));
}

TEST_CASE("an unknown key is named with its line and the nearest valid one") {
  const File file("data:\n  batch_size: 2\n  num_wokers: 3\n");
  YamlSection root = read_yaml(file.path);
  YamlSection data = root.section("data");
  data.required<int>("batch_size");
  data.get<int>("num_workers", 1);
  data.get<int>("crop_size", 224);
  CHECK_THROWS_WITH(data.finish(),
                    Contains("run.yaml:3: unknown key 'data.num_wokers'; did you mean 'data.num_workers'?"));
}

TEST_CASE("a key of a section that is spelled outside of it is unknown") {
  const File file("optimization.epochs: 2\noptimization:\n  epochs: 3\n");
  YamlSection root = read_yaml(file.path);
  YamlSection section = root.section("optimization");
  CHECK(section.required<int>("epochs") == 3);
  section.finish();
  CHECK_THROWS_WITH(root.finish(), Contains("run.yaml:1: unknown key 'optimization.epochs'"));
}

TEST_CASE("a key that is no word is refused with its line") {
  const File file("a: 1\n[b, c]: 2\n");
  YamlSection root = read_yaml(file.path);
  root.get<int>("a", 0);
  CHECK_THROWS_WITH(root.finish(), Contains("run.yaml:2: ") && Contains("keys are words"));
}

TEST_CASE("a key set twice is refused") {
  const File file("a: 1\na: 2\n");
  YamlSection root = read_yaml(file.path);
  root.get<int>("a", 0);
  CHECK_THROWS_WITH(root.finish(), Contains("run.yaml:2: 'a' is set twice"));
}

TEST_CASE("a key without effect gives a warning, not an error") {
  const File file("pin_mem: true\n");
  YamlSection root = read_yaml(file.path);
  root.unused("pin_mem", "has no effect");
  root.unused("other", "has no effect");
  root.finish();
  REQUIRE(root.warnings().size() == 1);
  CHECK_THAT(root.warnings()[0], Contains("run.yaml:1: 'pin_mem' has no effect"));
}

TEST_CASE("overrides replace, add, reach into lists, and are named in errors") {
  const File file("optimization:\n  epochs: 300\nmask:\n  - num_blocks: 8\n  - num_blocks: 2\n");
  YamlSection root = read_yaml(file.path, {"optimization.epochs=2", "data.datasets=[a b.csv, c.csv]",
                                           "mask.1.num_blocks=4", "logging.folder=/x=y"});
  CHECK(root.section("optimization").required<int>("epochs") == 2);
  CHECK(root.section("data").required<std::vector<std::string>>("datasets") ==
        std::vector<std::string>{"a b.csv", "c.csv"});
  CHECK(root.sections("mask")[1].required<int>("num_blocks") == 4);
  CHECK(root.sections("mask")[0].required<int>("num_blocks") == 8);
  CHECK(root.section("logging").required<std::string>("folder") == "/x=y");

  YamlSection wrong = read_yaml(file.path, {"optimization.epochs=two", "optimization.epocs=2"});
  YamlSection o = wrong.section("optimization");
  CHECK_THROWS_WITH(o.required<int>("epochs"),
                    Contains("--set optimization.epochs=two: ") && Contains("a whole number"));
  CHECK_THROWS_WITH(o.finish(), Contains("--set optimization.epocs=2: unknown key") && Contains("optimization.epochs"));

  CHECK_THROWS_WITH(read_yaml(file.path, {"epochs"}), Contains("wants section.key=value"));
  CHECK_THROWS_WITH(read_yaml(file.path, {"mask.7.num_blocks=1"}),
                    Contains("not the number of an entry of a list of 2"));
  CHECK_THROWS_WITH(read_yaml(file.path, {"optimization.epochs.x=1"}), Contains("not a section"));
  CHECK_THROWS_WITH(read_yaml(file.path, {"a=[1"}), Contains("--set a=[1") && Contains("not YAML"));
}

TEST_CASE("files that cannot be read are named") {
  CHECK_THROWS_WITH(read_yaml("/nowhere/run.yaml"), Contains("/nowhere/run.yaml: no such file"));
  const File broken("a: [1, 2\nb: 3\n");
  CHECK_THROWS_WITH(read_yaml(broken.path), Contains("run.yaml:") && Contains("not YAML"));
  const File list("- 1\n- 2\n");
  CHECK_THROWS_WITH(read_yaml(list.path), Contains("'the file' must be a mapping"));
  // A file of something else can be one text without end; the message shows how it begins.
  const File prose(std::string(1000, 'x'));
  CHECK_THROWS_WITH(read_yaml(prose.path), Contains("it is '" + std::string(60, 'x') + "...'"));
}
