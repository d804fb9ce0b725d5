// vjepa-pretrain: trains a V-JEPA from videos as a YAML configuration says.
#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "pretrain.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/train/pretrain_run.hpp"
#include "vjepa/train/read_pretrain_config.hpp"

namespace {

namespace po = boost::program_options;

constexpr const char* examples = R"(
Examples:
  vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos DIR --set logging.folder=OUT
  vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos DIR --set logging.folder=OUT --resume
  vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos train.csv --set logging.folder=OUT
    --set optimization.epochs=20 --device cuda:0 --set meta.dtype=bfloat16 --set data.num_workers=8

A CSV list has a line for each video: its path, a space, a label (a number that pretraining does not use). A path
with spaces stands in "double quotes". examples/configs/pretrain/reference.yaml explains every key of a configuration.
Ctrl-C saves the run; the same command with --resume goes on with it. What is given otherwise then, such as more
epochs or other videos, is named in a warning, or refused where the model or the order of samples would be another.
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

/// Runs the configuration with the pretrainers that there are. False when interrupted.
bool pretrain(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& how,
              const vjepa::MakePretrainer& make_pretrainer) {
  vjepa::PretrainRun run(config, how, make_pretrainer);
  const double millions = static_cast<double>(run.trainer().encoder_size()) / 1e6;
  std::printf("%s (%.1f M parameters) on %s\n", config.model.model_name.c_str(), millions,
              run.trainer().device().c_str());
  std::printf("%lld videos, %lld steps of %lld an epoch, %lld epochs\n", static_cast<long long>(run.videos().size()),
              static_cast<long long>(run.iterations_per_epoch()), static_cast<long long>(config.data.batch_size),
              static_cast<long long>(config.optimization.epochs));
  if (run.position().steps > 0) {
    std::printf("resuming at step %lld\n", static_cast<long long>(run.position().steps));
  }
  std::fflush(stdout);
  const bool finished = run.run();
  std::printf("%s\n  checkpoint %s\n  log        %s\n  loss curve %s\n",
              finished ? "done" : "interrupted; go on with --resume", run.files().latest().c_str(),
              run.files().log().c_str(), run.files().chart().c_str());
  return finished;
}

/// The same on a device.
bool pretrain(const vjepa::PretrainConfig& config, const vjepa::PretrainOptions& how, const program::Device& device) {
  const bool narrow = config.meta.dtype == vjepa::Precision::bfloat16;
  const Pretraining run = [&](const vjepa::MakePretrainer& make_pretrainer) {
    return pretrain(config, how, make_pretrainer);
  };
  if (device.gpu) {
    return narrow ? pretrain_cuda_bfloat16(config, *device.gpu, run) : pretrain_cuda_float32(config, *device.gpu, run);
  }
  return narrow ? pretrain_cpu_bfloat16(config, device.threads, run)
                : pretrain_cpu_float32(config, device.threads, run);
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
