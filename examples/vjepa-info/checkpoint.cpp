#include "vjepa/io/checkpoint.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "info.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/official_names.hpp"

namespace {

using namespace vjepa;

/// Tensors of one network, or of the optimizer.
struct Group {
  std::string name;
  Index tensors = 0;
  std::size_t parameters = 0;
  std::size_t bytes = 0;
  std::set<std::string_view> dtypes;
};

std::string group_of(const std::string& tensor) {
  if (tensor.starts_with("opt.")) return "opt";
  const std::string_view network = official::network_of(tensor);
  return network.empty() ? "(no network)" : std::string(network.substr(0, network.size() - 1));
}

Report networks(const Checkpoint& checkpoint) {
  std::vector<Group> groups;
  for (const StoredTensor& tensor : checkpoint.tensors()) {
    const std::string name = group_of(tensor.name);
    auto group = std::ranges::find(groups, name, &Group::name);
    if (group == groups.end()) group = groups.insert(groups.end(), {.name = name, .dtypes = {}});
    ++group->tensors;
    group->bytes += tensor.bytes.size();
    group->dtypes.insert(name_of(tensor.dtype));
    if (!official::is_positions(tensor.name)) group->parameters += tensor.size();
  }
  Report table = Report::array();
  for (const Group& group : groups) {
    std::string dtypes;
    for (const std::string_view dtype : group.dtypes) dtypes += (dtypes.empty() ? "" : ", ") + std::string(dtype);
    table.push_back({{"network", group.name},
                     {"tensors", group.tensors},
                     {"parameters", group.parameters},
                     {"bytes", group.bytes},
                     {"dtypes", dtypes}});
  }
  return table;
}

void add_models(const Checkpoint& checkpoint, Report& report) {
  if (const auto encoder = recognise_encoder(checkpoint)) {
    Report& section = report["model"];
    section["name"] = describe(*encoder);
    section["dim"] = encoder->dims.dim;
    section["depth"] = encoder->dims.depth;
    if (encoder->dims.heads > 0) section["heads"] = encoder->dims.heads;
    section["mlp_hidden"] = encoder->dims.hidden;
    if (encoder->positions > 0) section["tokens"] = encoder->positions;
    if (const auto& clip = encoder->clip) {
      section["clip"] = text(clip->frames, " frames of ", clip->height, "x", clip->width);
      section["uniform_power"] = encoder->uniform_power;
    }
  }
  if (const auto predictor = recognise_predictor(checkpoint)) {
    report["predictor"] = {{"dim", predictor->dim},
                           {"depth", predictor->depth},
                           {"encoder_dim", predictor->encoder_dim},
                           {"mask_tokens", predictor->mask_tokens}};
  }
  if (const auto probe = recognise_probe(checkpoint)) {
    report["probe"] = {{"dim", probe->dim}, {"self_attention_blocks", probe->blocks}, {"classes", probe->classes}};
  }
}

}  // namespace

Report describe_checkpoint(const std::filesystem::path& path, bool list_tensors) {
  const Checkpoint checkpoint(path);
  Report report;
  report["file"] = path.string();
  report["kind"] = "checkpoint";
  report["format"] = checkpoint.is_torch() ? "PyTorch" : "safetensors";
  report["bytes"] = std::filesystem::file_size(path);
  add_models(checkpoint, report);
  report["networks"] = networks(checkpoint);
  report["metadata"] = Report(checkpoint.metadata());
  if (list_tensors) {
    for (const StoredTensor& tensor : checkpoint.tensors()) {
      report["tensors"].push_back({{"name", tensor.name},
                                   {"dtype", name_of(tensor.dtype)},
                                   {"shape", shape_text(tensor.shape)},
                                   {"bytes", tensor.bytes.size()}});
    }
  }
  return report;
}
