// vjepa-probe: measures what a frozen encoder knows, by classifiers on its features, as a YAML configuration says.
#include <boost/program_options.hpp>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "common/interrupt.hpp"
#include "probe.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/train/probe_run.hpp"
#include "vjepa/train/probe_sets.hpp"
#include "vjepa/train/read_probe_config.hpp"

namespace {

namespace po = boost::program_options;

constexpr const char* examples = R"(
Examples:
  vjepa-probe --config examples/configs/evals/small.yaml --set pretrain.folder=OUT --set data.dataset_train=train.csv
    --set data.dataset_val=val.csv --set data.num_classes=8
  vjepa-probe --config vitl16_k400_16x8x3.yaml --set data.dataset_train=train.csv --set data.dataset_val=val.csv
    --set pretrain.folder=MODELS --set pretrain.checkpoint=vitl16.pth.tar
  vjepa-probe --config vitl16_in1k.yaml --set data.root_path=IMAGES --set data.image_folder=. --resume
    --set pretrain.folder=MODELS --set pretrain.checkpoint=vitl16.pth.tar

A CSV list has a line for each video: its path, a space, its class as a number from 0. A folder in its place has a
folder for each class. examples/configs/evals/reference.yaml explains every key of a configuration. Ctrl-C saves the
run; --resume goes on with it.
)";

po::options_description options() {
  po::options_description all("vjepa-probe: frozen evaluation of an encoder on labelled videos or images");
  auto add = all.add_options();
  add("config", po::value<std::string>()->value_name("FILE"), "configuration in the official YAML format");
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "replaces a value of the configuration, such as optimization.num_epochs=2; may be repeated");
  add("resume", po::bool_switch(), "go on from the latest checkpoint in the run's folder, if there is one");
  add("overwrite", po::bool_switch(), "begin anew where a run has been");
  program::add_device(all);
  return all;
}

/// Warns when the encoder was trained on clips of another kind than it is to see.
void compare_clips(const vjepa::Checkpoint& encoder, const vjepa::ProbeConfig& config) {
  const auto trained = encoder.metadata("data.static_camera");
  if (!trained || (*trained == "true") == config.data.static_camera) return;
  std::fprintf(stderr, "warning: %s: the encoder was trained with data.static_camera = %s, and sees other clips here\n",
               encoder.path().c_str(), trained->c_str());
}

/// Evaluates as the configuration says, with the probes that there are. False when interrupted.
bool evaluate(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& how, const vjepa::MakeProbe& make_probe) {
  vjepa::ProbeRun run(config, how, [&](const vjepa::Checkpoint& encoder, vjepa::Index iterations_per_epoch) {
    compare_clips(encoder, config);
    return make_probe(encoder, iterations_per_epoch);
  });
  std::printf("%s from %s on %s\n", config.pretrain.model_name.c_str(), config.pretrain.path().c_str(),
              run.probe().device().c_str());
  std::printf("%lld files to train on, %lld to validate, %lld classes; %lld steps an epoch, %lld epochs\n",
              static_cast<long long>(run.sets().train.size()), static_cast<long long>(run.sets().val.size()),
              static_cast<long long>(config.data.num_classes), static_cast<long long>(run.iterations_per_epoch()),
              static_cast<long long>(config.optimization.num_epochs));
  if (const std::int64_t label = run.sets().largest_label(); label < config.data.num_classes - 1) {
    std::fprintf(stderr, "warning: %s: the labels to train on end with %lld; data.num_classes is %lld\n",
                 vjepa::ProbeSets::sources(config).c_str(), static_cast<long long>(label),
                 static_cast<long long>(config.data.num_classes));
  }
  if (run.steps() > 0) std::printf("resuming at step %lld\n", static_cast<long long>(run.steps()));
  std::fflush(stdout);
  const bool finished = run.run();
  std::printf("%s\n  checkpoint %s\n", finished ? "done" : "interrupted; go on with --resume",
              run.files().latest().c_str());
  if (!run.results().epochs.empty()) {
    std::printf("  results    %s\n  confusion  %s\n", run.files().results().c_str(),
                run.files().confusion("svg").c_str());
  }
  return finished;
}

/// The same on a device.
bool evaluate(const vjepa::ProbeConfig& config, const vjepa::ProbeOptions& how, const program::Device& device) {
  const bool narrow = config.optimization.dtype == vjepa::Precision::bfloat16;
  const Evaluation run = [&](const vjepa::MakeProbe& make_probe) { return evaluate(config, how, make_probe); };
  if (device.gpu) {
    return narrow ? probe_cuda_bfloat16(config, *device.gpu, run) : probe_cuda_float32(config, *device.gpu, run);
  }
  return narrow ? probe_cpu_bfloat16(config, device.threads, run) : probe_cpu_float32(config, device.threads, run);
}

int run(int argc, char** argv) {
  const auto parsed = program::parse(argc, argv, options(), examples);
  if (!parsed) return 0;
  const program::Given& given = *parsed;
  const std::string file = program::required(given, "config", "FILE");
  const program::Device device = program::device(given);

  vjepa::YamlSection yaml = vjepa::read_yaml(file, program::list(given, "set"));
  const vjepa::ProbeConfig config = vjepa::read_probe_config(yaml);
  for (const std::string& warning : yaml.warnings()) std::cerr << "warning: " << warning << "\n";

  const vjepa::ProbeOptions how{.resume = given["resume"].as<bool>(),
                                .overwrite = given["overwrite"].as<bool>(),
                                .interrupted = program::interrupted};
  if (how.resume && how.overwrite) vjepa::fail("--resume and --overwrite exclude each other");
  program::catch_interrupts();  // the first leads to a checkpoint
  return evaluate(config, how, device) ? 0 : 130;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  return program::guarded("vjepa-probe", run, argc, argv);
}
