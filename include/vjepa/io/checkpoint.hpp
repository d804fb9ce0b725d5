#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/io/mapped_file.hpp"
#include "vjepa/io/official_names.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/io/torch_file.hpp"
#include "vjepa/io/torch_writer.hpp"

namespace vjepa {

/// A checkpoint in either format, told by its first bytes: what vjepa-pretrain or the official trainer saved, a state
/// dict, or any other safetensors or PyTorch file. Names are this library's (vjepa/io/official_names.hpp) whatever
/// the file's are. Tensors point into the mapped file.
class Checkpoint {
 public:
  /// Throws Error that names the file and what is wrong with it.
  explicit Checkpoint(const std::filesystem::path& path) : path_(path) {
    if (is_zip()) {
      adopt(file_.emplace<TorchFile>(path));
    } else {
      adopt(file_.emplace<SafetensorsFile>(path));
    }
  }

  const std::filesystem::path& path() const { return path_; }
  bool is_torch() const { return std::holds_alternative<TorchFile>(file_); }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// Numbers and texts that stand beside the tensors.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::optional<std::string> metadata(const std::string& key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? std::nullopt : std::optional(found->second);
  }

  const StoredTensor* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }
  /// Throws Error when there is no such tensor.
  const StoredTensor& at(std::string_view name) const {
    const StoredTensor* tensor = find(name);
    if (tensor == nullptr) fail(path_.string(), ": no tensor '", name, "'");
    return *tensor;
  }
  bool has_network(std::string_view prefix) const {
    const auto found = by_name_.lower_bound(prefix);
    return found != by_name_.end() && found->first.starts_with(prefix);
  }

  /// What stands before the names of the encoder asked for: `wanted` if the file has it; "encoder" where the target
  /// encoder was wanted and that is what there is, as in the official evaluation; nothing for a file of one network
  /// without a name. No value when the file's networks are others.
  std::optional<std::string> find_encoder(const std::string& wanted) const {
    if (has_network(wanted + ".")) return wanted + ".";
    if (wanted == "target_encoder" && has_network("encoder.")) return "encoder.";
    for (const StoredTensor& tensor : tensors_) {
      if (!official::network_of(tensor.name).empty()) return std::nullopt;
    }
    return "";
  }
  /// The same; throws Error, naming the networks there are, instead of no value.
  std::string encoder_prefix(const std::string& wanted) const {
    if (const auto found = find_encoder(wanted)) return *found;
    std::string networks;
    for (const std::string_view network : official::networks) {
      if (has_network(std::string(network) + ".")) networks += text(networks.empty() ? "" : ", ", network);
    }
    fail(path_.string(), ": holds no network '", wanted, "'; it holds: ", networks);
  }

  /// Whether a file that begins like this may be a checkpoint.
  static bool begins_as_one(std::span<const std::byte> head) {
    return ZipArchive::begins_as_one(head) || SafetensorsFile::begins_as_one(head) || begins_as_pickle(head);
  }

 private:
  static bool begins_as_pickle(std::span<const std::byte> head) { return !head.empty() && head[0] == std::byte{0x80}; }

  bool is_zip() const {
    const MappedFile file(path_);
    if (ZipArchive::begins_as_one(file.bytes())) return true;
    // Before PyTorch 1.6: a pickle of a magic number.
    if (begins_as_pickle(file.bytes()) && !SafetensorsFile::begins_as_one(file.bytes())) {
      fail(path_.string(), ": in the format of PyTorch before 1.6; convert it once, in Python: import torch; ",
           "torch.save(torch.load('", path_.filename().string(),
           "', map_location='cpu', weights_only=True), 'new.pt')");
    }
    if (!SafetensorsFile::begins_as_one(file.bytes())) {
      fail(path_.string(), ": is no checkpoint: neither a safetensors nor a PyTorch file");
    }
    return false;
  }

  template <class File>
  void adopt(const File& file) {
    metadata_ = file.metadata();
    tensors_ = file.tensors();
    for (StoredTensor& tensor : tensors_) {
      if (!tensor.name.starts_with("opt.")) tensor.name = official::house_name(tensor.name);
    }
    name_moments();
    restore_metadata();
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!by_name_.emplace(tensors_[i].name, i).second) {
        fail(path_.string(), ": two tensors are named '", tensors_[i].name, "'");
      }
    }
  }

  /// The official optimizer numbers its parameters; finds the name of each, if the file's groups are those expected.
  void name_moments() {
    if (metadata_.count("opt.param_groups.0.params.0") == 0) return;
    std::map<std::string_view, StoredTensor*> by_name;
    for (StoredTensor& tensor : tensors_) by_name.emplace(tensor.name, &tensor);
    for (const bool fixed_positions : {true, false}) {
      const auto renamed = moments_by(official::OptimizerGroups(tensors_, fixed_positions), by_name);
      if (!renamed) continue;
      for (const auto& [tensor, name] : *renamed) tensor->name = name;
      if (!fixed_positions) metadata_["opt.fixed_positions"] = "false";
      summarise_optimizer();
      return;
    }
  }

  std::optional<std::vector<std::pair<StoredTensor*, std::string>>> moments_by(
      const official::OptimizerGroups& expected, const std::map<std::string_view, StoredTensor*>& by_name) const {
    std::vector<std::pair<StoredTensor*, std::string>> renamed;
    for (std::size_t g = 0; g < expected.groups.size(); ++g) {
      const std::vector<std::string>& group = expected.groups[g];
      const std::string params = "opt.param_groups." + std::to_string(g) + ".params.";
      if (metadata_.count(params + std::to_string(group.size())) != 0) return std::nullopt;
      for (std::size_t i = 0; i < group.size(); ++i) {
        const auto id = metadata(params + std::to_string(i));
        if (!id) return std::nullopt;
        for (const std::string_view moment : official::moments) {
          const auto found = by_name.find("opt.state." + *id + "." + std::string(moment));
          if (found == by_name.end()) {
            if (official::is_positions(group[i])) continue;
            return std::nullopt;
          }
          if (found->second->shape != by_name.at(group[i])->shape) return std::nullopt;
          renamed.emplace_back(found->second, "opt." + std::string(moment) + "." + group[i]);
        }
      }
    }
    return renamed;
  }

  /// What the groups share is said once, and each parameter's count of steps, which is the same, too.
  void summarise_optimizer() {
    for (const std::string key : {"lr", "weight_decay", "betas.0", "betas.1", "eps"}) {
      if (const auto value = metadata("opt.param_groups.0." + key)) metadata_["opt." + key] = *value;
    }
    std::erase_if(metadata_, [](const auto& entry) { return entry.first.starts_with("opt.param_groups."); });
    std::erase_if(tensors_, [&](const StoredTensor& tensor) {
      if (!tensor.name.starts_with("opt.state.") || !tensor.name.ends_with(".step") || tensor.size() != 1) return false;
      const double steps = tensor.as<double>()[0];
      if (!(steps >= 0 && steps < 0x1p53)) fail(path_.string(), ": the optimizer's number of steps is ", steps);
      metadata_["opt.step"] = text(static_cast<long long>(steps));
      return true;
    });
  }

  /// What this library keeps beside the official values stands in a dict of its own.
  void restore_metadata() {
    const std::string own = "vjepa.";
    std::map<std::string, std::string> all;
    for (const auto& [key, value] : metadata_) {
      if (!key.starts_with(own)) all.emplace(key, value);
    }
    for (const auto& [key, value] : metadata_) {
      if (key.starts_with(own)) all[key.substr(own.size())] = value;
    }
    metadata_ = std::move(all);
  }

  std::filesystem::path path_;
  std::variant<std::monostate, SafetensorsFile, TorchFile> file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace vjepa
