#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vjepa/io/official_names.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/io/torch_writer.hpp"

namespace vjepa {

/// Writes tensors and metadata that bear this library's names as the official trainer saves its checkpoints: dicts
/// `encoder`, `predictor`, `target_encoder` (or `classifier`) of names that begin with `module.backbone.`, `opt` as
/// AdamW's state_dict, `scaler`, `epoch`, `loss`, `batch_size`, `world_size`, `lr`. A file of one network becomes a
/// flat state dict. Metadata of this library goes into a dict `vjepa`, which the official code ignores.
class TorchCheckpointWriter {
 public:
  TorchCheckpointWriter(std::vector<StoredTensor> tensors, std::map<std::string, std::string> metadata)
      : tensors_(std::move(tensors)), metadata_(std::move(metadata)), official_(metadata_) {
    name_counts();
  }

  /// Writes the file, whole or not at all.
  void write(const std::filesystem::path& path) {
    std::vector<Value> root;
    for (const std::string_view network : {"encoder.", "predictor.", "classifier."}) add_network(root, network);
    const bool trained = !root.empty();
    if (has("opt.exp_avg.")) add(root, "opt", optimizer());
    if (trained) add(root, "scaler", pickle::None{});
    add_network(root, "target_encoder.");
    for (const StoredTensor& tensor : tensors_) {
      if (official::network_of(tensor.name).empty() && !is_moment(tensor.name)) {
        add(root, tensor.name, writer_.tensor(tensor));
      }
    }
    if (trained) {
      for (const auto& [key, otherwise] : official_values)
        add(root, std::string(key), number(std::string(key), otherwise));
    }
    if (!metadata_.empty()) {
      std::vector<Value> own;
      for (const auto& [key, value] : metadata_) add(own, key, TorchWriter::text(value));
      add(root, "vjepa", dict(std::move(own)));
    }
    writer_.write(path, dict(std::move(root)));
  }

 private:
  using Value = pickle::Value;
  using Kind = pickle::Container::Kind;
  static constexpr std::pair<std::string_view, double> official_values[] = {
      {"epoch", 0}, {"loss", 0.0}, {"batch_size", 1}, {"world_size", 1}, {"lr", 0.0}};

  static void add(std::vector<Value>& items, const std::string& key, Value value) {
    items.push_back(TorchWriter::text(key));
    items.push_back(std::move(value));
  }
  static Value dict(std::vector<Value> items) { return TorchWriter::container(Kind::dict, std::move(items)); }

  /// What a run of this library counts and describes, as the official trainer names it.
  void name_counts() {
    const auto whole = [&](const char* key) {
      const Value value = number(key, -1);
      const auto* integer = std::get_if<std::int64_t>(&value);
      return integer != nullptr ? *integer : -1;
    };
    const std::int64_t steps = whole("steps");
    const std::int64_t epoch_steps = whole("optimization.ipe");
    const std::int64_t batch_size = whole("data.batch_size");
    if (steps >= 0) official_.emplace("opt.step", std::to_string(steps));
    if (steps >= 0 && epoch_steps > 0) official_.emplace("epoch", std::to_string(steps / epoch_steps));
    if (batch_size > 0) official_.emplace("batch_size", std::to_string(batch_size));
  }

  static bool is_moment(std::string_view name) {
    return name.starts_with("opt.exp_avg.") || name.starts_with("opt.exp_avg_sq.");
  }
  bool has(std::string_view prefix) const {
    for (const StoredTensor& tensor : tensors_) {
      if (tensor.name.starts_with(prefix)) return true;
    }
    return false;
  }

  void add_network(std::vector<Value>& root, std::string_view network) {
    std::vector<const StoredTensor*> params;
    for (const StoredTensor& tensor : tensors_) {
      if (tensor.name.starts_with(network)) params.push_back(&tensor);
    }
    if (params.empty()) return;
    std::sort(params.begin(), params.end(), [&](const StoredTensor* a, const StoredTensor* b) {
      return official::registered_before(a->name.substr(network.size()), b->name.substr(network.size()));
    });
    std::vector<Value> items;
    for (const StoredTensor* p : params) {
      add(items, official::wrapped_name(network, p->name.substr(network.size())), writer_.tensor(*p));
    }
    add(root, std::string(network.substr(0, network.size() - 1)), dict(std::move(items)));
  }

  /// A metadata value as a number, an integer where it has no point.
  Value number(const std::string& key, double otherwise) const {
    const auto found = official_.find(key);
    const std::string value = found == official_.end() ? "" : found->second;
    const char* end = value.data() + value.size();
    std::int64_t integer = 0;
    if (const auto [rest, error] = std::from_chars(value.data(), end, integer); error == std::errc{} && rest == end) {
      return integer;
    }
    double real = 0;
    if (const auto [rest, error] = std::from_chars(value.data(), end, real); error == std::errc{} && rest == end) {
      return real;
    }
    if (key == "epoch" || key.ends_with("_size")) return static_cast<std::int64_t>(otherwise);
    return otherwise;
  }

  Value optimizer() {
    const auto flag = metadata_.find("opt.fixed_positions");
    const official::OptimizerGroups layout(tensors_, flag == metadata_.end() || flag->second != "false");
    std::map<std::string_view, const StoredTensor*> by_name;
    for (const StoredTensor& tensor : tensors_) by_name.emplace(tensor.name, &tensor);
    const Value steps = number("opt.step", 0);
    const float step = std::holds_alternative<std::int64_t>(steps) ? static_cast<float>(std::get<std::int64_t>(steps))
                                                                   : static_cast<float>(std::get<double>(steps));
    std::vector<Value> state;
    std::vector<Value> groups;
    std::int64_t id = 0;
    for (std::size_t g = 0; g < layout.groups.size(); ++g) {
      std::vector<Value> ids;
      for (const std::string& name : layout.groups[g]) {
        const auto first = by_name.find("opt.exp_avg." + name);
        const auto second = by_name.find("opt.exp_avg_sq." + name);
        if (first != by_name.end() && second != by_name.end()) {
          std::vector<Value> entry;
          add(entry, "step", writer_.scalar(step));
          add(entry, "exp_avg", writer_.tensor(*first->second));
          add(entry, "exp_avg_sq", writer_.tensor(*second->second));
          state.push_back(id);
          state.push_back(dict(std::move(entry)));
        }
        ids.push_back(id++);
      }
      const bool decayed = g < layout.groups.size() / 2;
      std::vector<Value> group;
      add(group, "lr", number("opt.lr", 0.0));
      add(group, "betas",
          TorchWriter::container(Kind::tuple, {number("opt.betas.0", 0.9), number("opt.betas.1", 0.999)}));
      add(group, "eps", number("opt.eps", 1e-8));
      add(group, "weight_decay", decayed ? number("opt.weight_decay", 0.0) : Value(std::int64_t{0}));
      if (!decayed) add(group, "WD_exclude", true);
      for (const char* key : {"amsgrad", "maximize", "capturable", "differentiable"}) add(group, key, false);
      for (const char* key : {"foreach", "fused"}) add(group, key, pickle::None{});
      add(group, "params", TorchWriter::container(Kind::list, std::move(ids)));
      groups.push_back(dict(std::move(group)));
    }
    std::vector<Value> result;
    add(result, "state", dict(std::move(state)));
    add(result, "param_groups", TorchWriter::container(Kind::list, std::move(groups)));
    return dict(std::move(result));
  }

  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::string> official_;  // the same, and what follows from it
  TorchWriter writer_;
};

}  // namespace vjepa
