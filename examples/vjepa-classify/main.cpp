// vjepa-classify: the classes of videos or images, by a probe that vjepa-probe trained.
#include <boost/program_options.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "classify.hpp"
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

std::string text_of(const po::variables_map& given, const char* name) {
  if (given.count(name) == 0) fail("--", name, " is missing; --help shows examples");
  return given[name].as<std::string>();
}

/// That of the run which made the probe, or of a file.
ProbeConfig configuration(const Checkpoint& probe, const po::variables_map& given) {
  if (given.count("config") != 0) {
    YamlSection yaml = read_yaml(given["config"].as<std::string>());
    return read_probe_config(yaml);
  }
  const auto settings = probe.metadata("settings");
  if (!settings) {
    fail(probe.path().string(),
         ": does not remember its evaluation, as a probe of vjepa-probe does; give --config FILE");
  }
  return read_probe_settings(*settings, probe.path().string());
}

int run(int argc, char** argv) {
  po::options_description all("vjepa-classify --probe CKPT --encoder CKPT FILE...: the classes of videos or images");
  auto add = all.add_options();
  add("probe", po::value<std::string>()->value_name("CKPT"), "checkpoint of vjepa-probe");
  add("encoder", po::value<std::string>()->value_name("CKPT"), "checkpoint of the encoder that it was trained on");
  add("config", po::value<std::string>()->value_name("FILE"), "the evaluation's YAML, for an official probe");
  add("labels", po::value<std::string>()->default_value("")->value_name("FILE"), "names of the classes, a line each");
  add("top", po::value<int>()->default_value(5)->value_name("K"), "classes to print for each file");
  add("device", po::value<std::string>()->default_value("cpu"), "cpu");
  add("threads", po::value<int>()->default_value(0), "threads of computation; 0: every core");
  add("help", "show this");
  po::options_description hidden;
  hidden.add_options()("files", po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add("files", -1);
  po::options_description every;
  every.add(all).add(hidden);
  po::variables_map given;
  po::store(po::command_line_parser(argc, argv).options(every).positional(positions).run(), given);
  if (given.count("help") != 0) {
    std::cout << all << examples;
    return 0;
  }
  if (const auto device = given["device"].as<std::string>(); device != "cpu") {
    fail("--device ", device, ": this build has cpu alone");
  }
  ClassifyRequest request;
  request.probe = text_of(given, "probe");
  request.encoder = text_of(given, "encoder");
  if (given.count("files") == 0) fail("no files are given; --help shows examples");
  request.files = given["files"].as<std::vector<std::string>>();
  const int top = given["top"].as<int>();
  if (top < 1) fail("--top ", top, ": it must be at least 1");
  request.top = static_cast<std::size_t>(top);
  request.threads = given["threads"].as<int>();
  if (request.threads < 0 || request.threads > 1024) {
    fail("--threads ", request.threads, ": choose 0 (every core) to 1024");
  }

  const Checkpoint probe(request.probe);
  request.config = configuration(probe, given);
  request.classes = class_names(probe, given["labels"].as<std::string>(), request.config.data.num_classes);
  const bool whole = request.config.optimization.dtype == Precision::bfloat16 ? classify_cpu_bfloat16(request)
                                                                              : classify_cpu_float32(request);
  return whole ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "vjepa-classify: " << e.what() << "\n";
    return 1;
  }
}
