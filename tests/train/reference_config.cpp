// The configurations of examples/configs; of the reference ones, which users look keys up in, every key at its default.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/train/pretrain_settings.hpp"
#include "vjepa/train/read_pretrain_config.hpp"
#include "vjepa/train/read_probe_config.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

const std::filesystem::path configs = std::filesystem::path(VJEPA_SOURCE_DIR) / "examples/configs";

/// Adds the path of every key below `node`.
void add_paths(const YAML::Node& node, const std::string& path, std::set<std::string>& paths) {
  const auto add = [&](const std::string& key, const YAML::Node& value) {
    const std::string whole = path.empty() ? key : path + "." + key;
    if (!node.IsSequence()) paths.insert(whole);
    add_paths(value, whole, paths);
  };
  if (node.IsMap()) {
    for (const auto& entry : node) add(entry.first.as<std::string>(), entry.second);
  } else if (node.IsSequence()) {
    for (std::size_t i = 0; i < node.size(); ++i) add(std::to_string(i), node[i]);
  }
}

/// Of the keys that the reader asked for, those that the file sets in no line. Its comments must name them, as "key:".
std::set<std::string> in_comments(const std::filesystem::path& file, const YamlSection& read) {
  std::set<std::string> set;
  add_paths(YAML::LoadFile(file), "", set);
  std::ifstream stream(file);
  std::string comments;
  for (std::string line; std::getline(stream, line);) comments += line.substr(std::min(line.find('#'), line.size()));
  std::set<std::string> rest;
  for (const std::string& path : read.asked()) {
    if (set.contains(path)) continue;
    rest.insert(path);
    CHECK_THAT(comments, Contains(" " + path.substr(path.rfind('.') + 1) + ":"));
  }
  return rest;
}

}  // namespace

TEST_CASE("the configurations that come with the library are accepted without a warning") {
  int files = 0;
  const auto each = [&](const char* folder, const std::vector<std::string>& set, auto&& read) {
    for (const auto& entry : std::filesystem::directory_iterator(configs / folder)) {
      INFO(entry.path());
      YamlSection root = read_yaml(entry.path(), set);
      read(root);
      CHECK(root.warnings().empty());
      ++files;
    }
  };
  each("pretrain", {"logging.folder=out"}, [](YamlSection& root) { read_pretrain_config(root); });
  each("evals", {}, [](YamlSection& root) { read_probe_config(root); });
  CHECK(files == 5);
}

TEST_CASE("the reference of pretraining has every key at its default") {
  const std::filesystem::path file = configs / "pretrain/reference.yaml";
  YamlSection root = read_yaml(file);
  const PretrainConfig config = read_pretrain_config(root);
  CHECK(root.warnings().empty());
  const std::set<std::string> without_effect = {
      "nodes",          "tasks_per_node", "data.decode_one_clip", "data.pin_mem", "data.log_resource_utilization",
      "meta.eval_freq", "meta.use_sdpa"};
  CHECK(in_comments(file, root) == without_effect);

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

  YamlSection tubes = read_yaml(file, {"data.mask_type=random_tube", "mask=[{ratio: 0.9}]"});
  expected.data.mask_type = "random_tube";
  expected.mask = {RandomTube()};
  CHECK(read_pretrain_config(tubes) == expected);
  std::set<std::string> of_tubes = without_effect;
  of_tubes.insert("mask.0.ratio");
  CHECK(in_comments(file, tubes) == of_tubes);
}

TEST_CASE("a checkpoint of pretraining says every setting, or it is known why not") {
  YamlSection root = read_yaml(configs / "pretrain/reference.yaml");
  const PretrainConfig config = read_pretrain_config(root);
  auto settings = pretrain_settings(config, VideoList());
  CHECK(settings.at("mask.0").starts_with(R"({"num_blocks":8,"spatial_scale":[0.15,0.15],)"));
  PretrainConfig tubes;
  tubes.mask = {RandomTube()};
  CHECK(pretrain_settings(tubes, VideoList()).at("mask.0") == R"({"ratio":0.9})");
  settings.merge(pretrain_identity(config, 1));
  std::set<std::string> rest;
  for (const std::string& path : root.asked()) {
    if (!settings.contains(path) && !path.starts_with("mask")) rest.insert(path);
  }
  std::set<std::string> known;
  const auto add = [&](const std::string& section, std::initializer_list<const char*> keys) {
    if (!section.empty()) known.insert(section);
    for (const char* key : keys) known.insert(section.empty() ? key : section + "." + key);
  };
  add("", {"app", "nodes", "tasks_per_node", "loss", "data_aug"});
  // Where videos come from and how they are read, what a run writes, what it begins with, and what changes no value.
  add("data", {"dataset_type", "datasets", "mask_type", "num_workers", "decode_on", "cache_gb", "decode_one_clip",
               "pin_mem", "log_resource_utilization"});
  add("logging", {"folder", "write_tag"});
  add("meta", {"load_checkpoint", "read_checkpoint", "save_every_freq", "save_every_minutes", "skip_batches",
               "eval_freq", "use_sdpa"});
  add("model", {"use_mask_tokens", "zero_init_mask_tokens", "init_std", "rescale_blocks", "recomputed_blocks"});
  known.insert("optimization");
  CHECK(rest == known);
}

TEST_CASE("the reference of evaluation has every key at its default") {
  const std::filesystem::path file = configs / "evals/reference.yaml";
  YamlSection root = read_yaml(file);
  const ProbeConfig config = read_probe_config(root);
  CHECK(root.warnings().empty());
  std::set<std::string> comments = {"nodes", "tasks_per_node", "pretrain.use_silu", "pretrain.tight_silu",
                                    "pretrain.use_sdpa"};
  CHECK(in_comments(file, root) == comments);

  ProbeConfig expected;
  expected.folder = std::filesystem::path(config.pretrain.folder) / eval_name(config.kind) / config.tag;
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
  expected.data_aug.random_horizontal_flip = false;
  CHECK(config == expected);

  YamlSection images = read_yaml(
      file, {"eval_name=image_classification_frozen", "data={root_path: a, image_folder: b, num_classes: 3}",
             "optimization={num_epochs: 1, batch_size: 1, weight_decay: 0, lr: 0, start_lr: 0, final_lr: 0}"});
  read_probe_config(images);
  comments.insert({"data.root_path", "data.image_folder", "data.dataset_name", "data.resolution"});
  CHECK(in_comments(file, images) == comments);
}
