// vjepa-probe: measures what a frozen encoder knows, by classifiers on its features, as a YAML configuration says.
#include <boost/program_options.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "probe.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/train/read_probe_config.hpp"

namespace {

namespace po = boost::program_options;

volatile std::sig_atomic_t stop_asked = 0;

constexpr const char* examples = R"(
Examples:
  vjepa-probe --config examples/configs/evals/small.yaml --set pretrain.folder=OUT
  vjepa-probe --config vitl16_k400_16x8x3.yaml --set data.dataset_train=train.csv --set data.dataset_val=val.csv
    --set pretrain.folder=MODELS --set pretrain.checkpoint=vitl16.pth.tar
  vjepa-probe --config vitl16_in1k.yaml --set data.root_path=IMAGES --set pretrain.folder=MODELS --resume

A CSV list has a line for each video: its path, a space, its class as a number from 0. A folder in its place has a
folder for each class. Ctrl-C saves the run; --resume goes on with it.
)";

po::options_description options() {
  po::options_description all("vjepa-probe: frozen evaluation of an encoder on labelled videos or images");
  auto add = all.add_options();
  add("config", po::value<std::string>()->value_name("FILE"), "configuration in the official YAML format");
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "replaces a value of the configuration, such as optimization.num_epochs=2; may be repeated");
  add("resume", po::bool_switch(), "go on from the latest checkpoint in the run's folder, if there is one");
  add("overwrite", po::bool_switch(), "begin anew where a run has been");
  add("device", po::value<std::string>()->default_value("cpu"), "cpu");
  add("threads", po::value<int>()->default_value(0), "threads of computation; 0: every core");
  add("help", "show this");
  return all;
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
  if (const auto device = given["device"].as<std::string>(); device != "cpu") {
    vjepa::fail("--device ", device, ": this build has cpu alone");
  }
  const int threads = given["threads"].as<int>();
  if (threads < 0 || threads > 1024) vjepa::fail("--threads ", threads, ": choose 0 (every core) to 1024");

  const auto sets = given.count("set") != 0 ? given["set"].as<std::vector<std::string>>() : std::vector<std::string>{};
  vjepa::YamlSection yaml = vjepa::read_yaml(given["config"].as<std::string>(), sets);
  const vjepa::ProbeConfig config = vjepa::read_probe_config(yaml);
  for (const std::string& warning : yaml.warnings()) std::cerr << "warning: " << warning << "\n";

  const vjepa::ProbeOptions how{.resume = given["resume"].as<bool>(),
                                .overwrite = given["overwrite"].as<bool>(),
                                .interrupted = [] { return stop_asked != 0; }};
  if (how.resume && how.overwrite) vjepa::fail("--resume and --overwrite exclude each other");
  // The first signal asks for a checkpoint; a second ends the program at once.
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const bool finished = config.optimization.dtype == vjepa::Precision::bfloat16
                            ? probe_cpu_bfloat16(config, how, threads)
                            : probe_cpu_float32(config, how, threads);
  return finished ? 0 : 130;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "vjepa-probe: " << e.what() << "\n";
    return 1;
  }
}
