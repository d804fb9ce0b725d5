// vjepa-classify: the classes of videos or images, by a probe that vjepa-probe trained.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "classify.hpp"
#include "common/command_line.hpp"
#include "common/inputs.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/train/probe_classifier.hpp"
#include "vjepa/train/probe_metrics.hpp"
#include "vjepa/train/probe_sets.hpp"
#include "vjepa/train/probe_settings.hpp"
#include "vjepa/train/read_probe_config.hpp"

namespace {

namespace po = boost::program_options;
using namespace vjepa;

constexpr const char* examples = R"(
FILE is a video, an image, a folder of them or a CSV list (path label).

Examples:
  vjepa-classify --probe RUN/jepa-latest.safetensors --encoder jepa-latest.safetensors clip.mp4
  vjepa-classify --probe RUN/jepa-latest.safetensors --encoder vitl16.pth.tar --labels names.txt --top 3 videos/

  vjepa-classify --probe k400-probe.pth.tar --encoder vitl16.pth.tar --config vitl16_k400_16x8x3.yaml
    --labels k400.txt clip.mp4

A probe of vjepa-probe remembers its model, its views and the names of its classes; an official one needs
--config and --labels.
)";

/// The names that the probe's run had, or those of a file.
std::vector<std::string> class_names(const Checkpoint& probe, const std::string& file, Index classes) {
  if (!file.empty()) return read_class_names(file, classes);
  const Json names = Json::parse(probe.metadata("classes").value_or(""), nullptr, false);
  if (!names.is_array() || static_cast<Index>(names.size()) != classes) {
    fail(probe.path().string(), ": names no classes; give them with --labels FILE, a line each");
  }
  return names.get<std::vector<std::string>>();
}

/// That of the run which made the probe, or of a file.
ProbeConfig configuration(const Checkpoint& probe, const program::Given& given) {
  if (given.count("config") != 0) {
    YamlSection yaml = read_yaml(given["config"].as<std::string>());
    const ProbeConfig config = read_probe_config(yaml);
    for (const std::string& warning : yaml.warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    return config;
  }
  const auto settings = probe.metadata("settings");
  if (!settings) {
    fail(probe.path().string(),
         ": does not remember its evaluation, as a probe of vjepa-probe does; give --config FILE");
  }
  return read_probe_settings(*settings, probe.path().string());
}

/// What the command line asks for.
struct Request {
  std::vector<std::string> files;
  std::size_t top = 5;
};

/// Prints the classes of the files. Whether every file could be read.
bool classify(const Request& request, const std::vector<std::string>& classes, ProbeClassifier classifier) {
  bool all = true;
  for (const std::string& file : request.files) {
    try {
      const std::vector<double> probabilities = classifier(file);
      std::printf("%s\n", file.c_str());
      const auto order = ranked(probabilities);
      for (std::size_t i = 0; i < std::min(request.top, order.size()); ++i) {
        std::printf("  %7.3f %%  %s\n", 100 * probabilities[order[i]], classes[order[i]].c_str());
      }
      std::fflush(stdout);
    } catch (const Error& e) {
      std::fprintf(stderr, "vjepa-classify: %s\n", e.what());
      all = false;
    }
  }
  return all;
}

/// Runs the probe on a device.
bool on_device(const ProbeSource& source, const program::Device& device, const Classification& run) {
  const bool narrow = source.config.optimization.dtype == Precision::bfloat16;
  if (device.gpu) {
    return narrow ? classify_cuda_bfloat16(source, *device.gpu, run) : classify_cuda_float32(source, *device.gpu, run);
  }
  return narrow ? classify_cpu_bfloat16(source, device.threads, run)
                : classify_cpu_float32(source, device.threads, run);
}

int run(int argc, char** argv) {
  po::options_description all("vjepa-classify --probe CKPT --encoder CKPT FILE...: the classes of videos or images");
  auto add = all.add_options();
  add("probe", po::value<std::string>()->value_name("CKPT"), "checkpoint of vjepa-probe");
  add("encoder", po::value<std::string>()->value_name("CKPT"), "checkpoint of the encoder that it was trained on");
  add("config", po::value<std::string>()->value_name("FILE"), "the evaluation's YAML, for an official probe");
  add("labels", po::value<std::string>()->default_value("")->value_name("FILE"), "names of the classes, a line each");
  add("top", po::value<int>()->default_value(5)->value_name("K"), "classes to print for each file");
  program::add_device(all);
  const auto parsed = program::parse(argc, argv, all, examples, "files");
  if (!parsed) return 0;
  const program::Given& given = *parsed;
  const std::string probe_file = program::required(given, "probe", "CKPT");
  const std::string encoder_file = program::required(given, "encoder", "CKPT");
  Request request;
  if (given.count("files") == 0) fail("no files are given; --help shows examples");
  for (const program::Input& input : program::listed_inputs(program::list(given, "files"), false)) {
    if (input.stream) fail(input.name, ": is a stream; the classes of files are told alone");
    request.files.push_back(input.name);
  }
  const int top = given["top"].as<int>();
  if (top < 1) fail("--top ", top, ": it must be at least 1");
  request.top = static_cast<std::size_t>(top);
  const program::Device device = program::device(given);

  const Checkpoint probe(probe_file);
  const ProbeConfig config = configuration(probe, given);
  const auto classes = class_names(probe, given["labels"].as<std::string>(), config.data.num_classes);
  const Checkpoint encoder(encoder_file);
  const bool every = on_device({probe, encoder, config}, device, [&](AnyProbe& trained) {
    return classify(request, classes, ProbeClassifier(trained, config));
  });
  return every ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  return program::guarded("vjepa-classify", run, argc, argv);
}
