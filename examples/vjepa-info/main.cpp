// vjepa-info: tells what a file is, by its contents.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "common/command_line.hpp"
#include "info.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/io/checkpoint.hpp"

void refuse(const std::filesystem::path& path, const std::string& reason) {
  vjepa::fail(path.string(), ": ", reason,
              "; known are checkpoints (.safetensors, .pth.tar, .pth, .pt), videos (whatever FFmpeg reads) and YAML "
              "configurations of pretraining and evaluation");
}

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* examples = R"(
Examples:
  vjepa-info vitl16.pth.tar                  networks, the model and its clips, metadata
  vjepa-info vitl16.pth.tar --tensors        and every tensor
  vjepa-info video.mp4                       streams, frames, rate, size, rotation
  vjepa-info examples/configs/pretrain/small.yaml --set data.batch_size=4
                                             model, masks, operations and memory of a step
)";

std::string first_bytes(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) vjepa::fail(path.string(), ": no such file");
  if (!fs::is_regular_file(path, ignored)) refuse(path, "is not a regular file");
  std::string head(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file) vjepa::fail(path.string(), ": cannot be opened");
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  if (head.empty()) refuse(path, "is empty");
  return head;
}

bool is_text(const std::string& head) {
  return std::ranges::all_of(head, [](unsigned char c) { return c >= ' ' || c == '\n' || c == '\r' || c == '\t'; });
}

int run(int argc, char** argv) {
  po::options_description all("vjepa-info FILE: what a checkpoint, video or configuration is");
  auto add = all.add_options();
  add("json", po::bool_switch(), "for machines: JSON, numbers without units");
  add("tensors", po::bool_switch(), "every tensor of a checkpoint");
  add("set", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "replaces a value of a configuration; may be repeated");
  const auto parsed = program::parse(argc, argv, all, examples, "file");
  if (!parsed) return 0;
  const program::Given& given = *parsed;
  const std::vector<std::string> files = program::list(given, "file");
  if (files.size() != 1) vjepa::fail("one file is wanted; --help shows examples");
  const fs::path path = files.front();
  const std::string head = first_bytes(path);
  const bool is_checkpoint = vjepa::Checkpoint::begins_as_one(std::as_bytes(std::span(head)));
  const bool is_config = !is_checkpoint && is_text(head);
  const bool tensors = given["tensors"].as<bool>();
  const auto changes = program::list(given, "set");
  const Report report = is_checkpoint ? describe_checkpoint(path, tensors)
                        : is_config   ? describe_config(path, changes)
                                      : describe_media(path);
  if (tensors && !is_checkpoint) vjepa::fail("--tensors is for checkpoints, which ", path.string(), " is not");
  if (!changes.empty() && !is_config) vjepa::fail("--set is for configurations, which ", path.string(), " is not");
  std::cout << (given["json"].as<bool>() ? report.dump(2) + "\n" : report_text(report));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  return program::guarded("vjepa-info", run, argc, argv);
}
