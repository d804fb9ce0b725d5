// The reference configurations of examples/configs, which users look keys up in: every key, at its default.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "catch.hpp"
#include "vjepa/train/read_pretrain_config.hpp"
#include "vjepa/train/read_probe_config.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

const std::filesystem::path source = VJEPA_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The words that the pattern's first group finds.
std::set<std::string> words(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), regex); it != std::sregex_iterator(); ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

/// Of what a reader asks its sections for, what the reference does not name, in a line or in a comment.
std::set<std::string> missing(const std::filesystem::path& reader, const std::filesystem::path& reference) {
  const std::set<std::string> asked =
      words(content(source / reader), R"((?:get<[^()]*>|find<[^()]*>|required<[^()]*>|unused|sections?)\(\s*"(\w+)\")");
  CHECK(asked.size() > 20);
  const std::set<std::string> named = words(content(source / reference), R"((\w+):)");
  std::set<std::string> rest;
  std::set_difference(asked.begin(), asked.end(), named.begin(), named.end(), std::inserter(rest, rest.begin()));
  return rest;
}

}  // namespace

TEST_CASE("the reference of pretraining has every key at its default") {
  const std::filesystem::path reference = "examples/configs/pretrain/reference.yaml";
  CHECK(missing("include/vjepa/train/read_pretrain_config.hpp", reference) == std::set<std::string>{});
  YamlSection root = read_yaml(source / reference);
  PretrainConfig config = read_pretrain_config(root);
  CHECK(root.warnings().empty());

  PretrainConfig expected;
  expected.mask = {Multiblock3d()};
  // What is required has no default.
  expected.data.batch_size = config.data.batch_size;
  expected.logging.folder = config.logging.folder;
  expected.model.model_name = config.model.model_name;
  const auto required = [&](auto PretrainConfig::Optimization::*member) {
    expected.optimization.*member = config.optimization.*member;
  };
  required(&PretrainConfig::Optimization::epochs);
  required(&PretrainConfig::Optimization::warmup);
  required(&PretrainConfig::Optimization::start_lr);
  required(&PretrainConfig::Optimization::lr);
  required(&PretrainConfig::Optimization::final_lr);
  required(&PretrainConfig::Optimization::weight_decay);
  required(&PretrainConfig::Optimization::final_weight_decay);
  required(&PretrainConfig::Optimization::ema);
  CHECK(config == expected);

  YamlSection tubes = read_yaml(source / reference, {"data.mask_type=random_tube", "mask=[{ratio: 0.9}]"});
  expected.data.mask_type = "random_tube";
  expected.mask = {RandomTube()};
  CHECK(read_pretrain_config(tubes) == expected);
}

TEST_CASE("the reference of evaluation has every key at its default") {
  const std::filesystem::path reference = "examples/configs/evals/reference.yaml";
  CHECK(missing("include/vjepa/train/read_probe_config.hpp", reference) == std::set<std::string>{});
  YamlSection root = read_yaml(source / reference);
  ProbeConfig config = read_probe_config(root);
  CHECK(root.warnings().empty());

  ProbeConfig expected;
  expected.folder = std::filesystem::path(config.pretrain.folder) / eval_name(config.kind) / config.tag;
  expected.data_aug.random_horizontal_flip = false;
  // What is required has no default.
  expected.data.dataset_train = config.data.dataset_train;
  expected.data.dataset_val = config.data.dataset_val;
  expected.data.num_classes = config.data.num_classes;
  expected.pretrain.model_name = config.pretrain.model_name;
  expected.pretrain.folder = config.pretrain.folder;
  expected.pretrain.checkpoint = config.pretrain.checkpoint;
  expected.pretrain.write_tag = config.pretrain.write_tag;
  const auto required = [&](auto ProbeConfig::Optimization::*member) {
    expected.optimization.*member = config.optimization.*member;
  };
  required(&ProbeConfig::Optimization::num_epochs);
  required(&ProbeConfig::Optimization::batch_size);
  required(&ProbeConfig::Optimization::weight_decay);
  required(&ProbeConfig::Optimization::start_lr);
  required(&ProbeConfig::Optimization::lr);
  required(&ProbeConfig::Optimization::final_lr);
  CHECK(config == expected);
}
