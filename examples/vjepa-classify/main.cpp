// vjepa-classify: the classes of videos or images, by a probe that vjepa-probe trained.
#include <boost/program_options.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "classify.hpp"
#include "common/command_line.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/train/probe_sets.hpp"
#include "vjepa/train/probe_settings.hpp"
#include "vjepa/train/read_probe_config.hpp"

namespace {

namespace po = boost::program_options;
using namespace vjepa;

constexpr const char* examples = R"(
Examples:
  vjepa-classify --probe RUN/jepa-latest.safetensors --encoder jepa-latest.safetensors clip.mp4
  vjepa-classify --probe RUN/jepa-latest.safetensors --encoder vitl16.pth.tar --labels names.txt --top 3 *.mp4

  vjepa-classify --probe k400-probe.pth.tar --encoder vitl16.pth.tar --config vitl16_k400_16x8x3.yaml
    --labels k400.txt clip.mp4

A probe of vjepa-probe remembers its model, its views and the names of its classes; an official one needs --config.
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

/// Whether every file could be read.
bool classify(const ClassifyRequest& request, const program::Device& device) {
  const bool narrow = request.config.optimization.dtype == Precision::bfloat16;
  if (device.gpu) {
    return narrow ? classify_cuda_bfloat16(request, *device.gpu) : classify_cuda_float32(request, *device.gpu);
  }
  return narrow ? classify_cpu_bfloat16(request) : classify_cpu_float32(request);
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
  ClassifyRequest request;
  request.probe = program::required(given, "probe", "CKPT");
  request.encoder = program::required(given, "encoder", "CKPT");
  request.files = program::list(given, "files");
  if (request.files.empty()) fail("no files are given; --help shows examples");
  const int top = given["top"].as<int>();
  if (top < 1) fail("--top ", top, ": it must be at least 1");
  request.top = static_cast<std::size_t>(top);
  const program::Device device = program::device(given);
  request.threads = device.threads;

  const Checkpoint probe(request.probe);
  request.config = configuration(probe, given);
  request.classes = class_names(probe, given["labels"].as<std::string>(), request.config.data.num_classes);
  return classify(request, device) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  return program::guarded("vjepa-classify", run, argc, argv);
}
