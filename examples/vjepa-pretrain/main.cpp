// vjepa-pretrain: trains a V-JEPA from videos as a YAML configuration says.
#include <boost/program_options.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "../device.hpp"
#include "pretrain.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/train/read_pretrain_config.hpp"

namespace {

namespace po = boost::program_options;

volatile std::sig_atomic_t stop_asked = 0;

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
  add("device", po::value<std::string>()->default_value("cpu"), "cpu, or a GPU: cuda:0");
  add("threads", po::value<int>()->default_value(0), "threads of computation on the CPU; 0: every core");
  add("help", "show this");
  return all;
}

bool pretrain(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& how, int threads,
              std::optional<int> gpu) {
  const bool narrow = config.meta.dtype == vjepa::Precision::bfloat16;
  if (gpu) return narrow ? pretrain_cuda_bfloat16(config, how, *gpu) : pretrain_cuda_float32(config, how, *gpu);
  return narrow ? pretrain_cpu_bfloat16(config, how, threads) : pretrain_cpu_float32(config, how, threads);
}

int run(int argc, char** argv) {
  po::variables_map given;
  const po::options_description all = options();
  po::store(po::parse_command_line(argc, argv, all), given);
  if (given.count("help") != 0) {
    std::cout << all << examples;
    return 0;
  }
  if (given.count("config") == 0) vjepa::fail("--config FILE is missing; --help shows examples");
  const std::optional<int> gpu = cuda_device(given["device"].as<std::string>());
  const int threads = given["threads"].as<int>();
  if (threads < 0 || threads > 1024) vjepa::fail("--threads ", threads, ": choose 0 (every core) to 1024");

  const auto sets = given.count("set") != 0 ? given["set"].as<std::vector<std::string>>() : std::vector<std::string>{};
  vjepa::YamlSection yaml = vjepa::read_yaml(given["config"].as<std::string>(), sets);
  vjepa::PretrainConfig config = vjepa::read_pretrain_config(yaml);
  for (const std::string& warning : yaml.warnings()) std::cerr << "warning: " << warning << "\n";
  if (given.count("videos") != 0) {
    config.data.datasets = given["videos"].as<std::vector<std::string>>();
    config.data.datasets_weights.reset();
  }

  const vjepa::PretrainOptions how{.resume = given["resume"].as<bool>(),
                                   .overwrite = given["overwrite"].as<bool>(),
                                   .watch = given["watch"].as<vjepa::Index>(),
                                   .interrupted = [] { return stop_asked != 0; }};
  if (how.watch < 0) vjepa::fail("--watch ", how.watch, ": choose 0 (never) or a number of steps");
  if (how.resume && how.overwrite) vjepa::fail("--resume and --overwrite exclude each other");
  // The first signal asks for a checkpoint; a second ends the program at once.
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return pretrain(config, how, threads, gpu) ? 0 : 130;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "vjepa-pretrain: " << e.what() << "\n";
    return 1;
  }
}
