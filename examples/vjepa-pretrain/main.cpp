// vjepa-pretrain: trains a V-JEPA from videos as a YAML configuration says.
#include <boost/program_options.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "pretrain.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/train/read_pretrain_config.hpp"

namespace {

namespace po = boost::program_options;

constexpr const char* examples = R"(
Examples:
  vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos DIR --set logging.folder=OUT
  vjepa-pretrain --config vitl16.yaml --set data.datasets=[train.csv] --set logging.folder=OUT --resume
  vjepa-pretrain --config small.yaml --videos DIR --set logging.folder=OUT --set optimization.epochs=20

A CSV list has a line for each video: its path, a space, a label (a number that pretraining does not use). A path
with spaces stands in "double quotes". Ctrl-C saves the run; --resume goes on with it.
)";

po::options_description options() {
  po::options_description all("vjepa-pretrain: self-supervised training of a video transformer");
  auto add = all.add_options();
  add("config", po::value<std::string>()->value_name("FILE"), "configuration in the official YAML format");
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "replaces a value of the configuration, such as optimization.epochs=2; may be repeated");
  add("videos", po::value<std::vector<std::string>>()->composing()->value_name("DIR"),
      "folder of videos (or CSV list) in place of data.datasets; may be repeated");
  add("resume", po::bool_switch(), "go on from the latest checkpoint in logging.folder, if there is one");
  add("overwrite", po::bool_switch(), "begin anew where a run has been");
  add("watch", po::value<vjepa::Index>()->default_value(0)->value_name("N"),
      "every N steps, write how the targets spread to <tag>_watch.csv and warn of a collapse; 0: never");
  program::add_device(all);
  return all;
}

bool pretrain(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& how, const program::Device& device) {
  const bool narrow = config.meta.dtype == vjepa::Precision::bfloat16;
  if (device.gpu) {
    return narrow ? pretrain_cuda_bfloat16(config, how, *device.gpu) : pretrain_cuda_float32(config, how, *device.gpu);
  }
  return narrow ? pretrain_cpu_bfloat16(config, how, device.threads)
                : pretrain_cpu_float32(config, how, device.threads);
}

int run(int argc, char** argv) {
  const auto parsed = program::parse(argc, argv, options(), examples);
  if (!parsed) return 0;
  const program::Given& given = *parsed;
  const std::string file = program::required(given, "config", "FILE");
  const program::Device device = program::device(given);

  vjepa::YamlSection yaml = vjepa::read_yaml(file, program::list(given, "set"));
  vjepa::PretrainConfig config = vjepa::read_pretrain_config(yaml);
  for (const std::string& warning : yaml.warnings()) std::cerr << "warning: " << warning << "\n";
  if (given.count("videos") != 0) {
    config.data.datasets = program::list(given, "videos");
    config.data.datasets_weights.reset();
  }

  const vjepa::PretrainOptions how{.resume = given["resume"].as<bool>(),
                                   .overwrite = given["overwrite"].as<bool>(),
                                   .watch = given["watch"].as<vjepa::Index>(),
                                   .interrupted = program::interrupted};
  if (how.watch < 0) vjepa::fail("--watch ", how.watch, ": choose 0 (never) or a number of steps");
  if (how.resume && how.overwrite) vjepa::fail("--resume and --overwrite exclude each other");
  program::catch_interrupts();  // the first leads to a checkpoint
  return pretrain(config, how, device) ? 0 : 130;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  return program::guarded("vjepa-pretrain", run, argc, argv);
}
