#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "info.hpp"
#include "vjepa/config/yaml.hpp"
#include "vjepa/core/bf16.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/read_pretrain_config.hpp"
#include "vjepa/train/sample_masks.hpp"
#include "vjepa/train/step_cost.hpp"

namespace {

using namespace vjepa;

/// Steps over which masks, operations and memory are looked at: the same steps that the run would draw.
constexpr std::int64_t sampled_steps = 32;

std::string mask_text(const PretrainConfig::Mask& mask) {
  const auto percent = [](const std::array<double, 2>& scale) {
    const std::string low = text(100 * scale[0]);
    return scale[0] == scale[1] ? low + " %" : text(low, " to ", 100 * scale[1], " %");
  };
  if (const auto* tube = std::get_if<RandomTube>(&mask)) return text("tubes over ", 100 * tube->ratio, " % of a frame");
  const auto& blocks = std::get<Multiblock3d>(mask);
  return text(blocks.num_blocks, " blocks of ", percent(blocks.spatial_scale), " of a frame");
}

/// The mean over the sampled steps, and the most memory of any.
template <class D, class Encoder, class Guess>
void add_cost(const PretrainConfig& config, Report& report) {
  const ClipSize size{
      .frames = config.data.num_frames, .height = config.data.crop_size, .width = config.data.crop_size};
  const TokenGrid grid = Encoder::grid(size);
  std::vector<double> kept(config.mask.size());
  std::vector<double> hidden(config.mask.size());
  StepCost mean;
  StepCost most;
  for (std::int64_t step = 0; step < sampled_steps; ++step) {
    const std::vector<Masks> masks = sample_masks(config, grid, config.data.batch_size, step);
    for (std::size_t i = 0; i < masks.size(); ++i) {
      kept[i] += static_cast<double>(masks[i].kept) / sampled_steps;
      hidden[i] += static_cast<double>(masks[i].hidden) / sampled_steps;
    }
    const StepCost cost = step_cost<D, Encoder, Guess>(config, masks);
    mean.product_flops += cost.product_flops / sampled_steps;
    mean.attention_flops += cost.attention_flops / sampled_steps;
    if (cost.bytes() > most.bytes()) most = cost;
  }
  report["model"]["encoder_parameters"] = most.encoder_parameters;
  report["model"]["predictor_parameters"] = most.predictor_parameters;
  report["data"]["tokens"] = grid.size();
  for (std::size_t i = 0; i < config.mask.size(); ++i) {
    report["masks"].push_back(
        {{"mask", mask_text(config.mask[i])}, {"mean_kept_tokens", kept[i]}, {"mean_hidden_tokens", hidden[i]}});
  }
  report["step_flops"] = {
      {"products", mean.product_flops}, {"attention", mean.attention_flops}, {"total", mean.flops()}};
  report["memory_bytes"] = {
      {"activations", most.activation_bytes}, {"weights", most.weight_bytes}, {"gradients", most.gradient_bytes},
      {"moments", most.moment_bytes},         {"clips", most.clip_bytes},     {"total", most.bytes()}};
}

Report describe_pretraining(YamlSection& root) {
  const PretrainConfig config = read_pretrain_config(root);
  const PretrainConfig::Data& data = config.data;
  const PretrainConfig::Model& model = config.model;
  const PretrainConfig::Optimization& o = config.optimization;
  const bool half = config.meta.dtype == Precision::bfloat16;
  Report report;
  report["model"] = {{"encoder", model.model_name},         {"patch", data.patch_size},
                     {"tubelet", data.tubelet_size},        {"predictor_dim", model.pred_embed_dim},
                     {"predictor_depth", model.pred_depth}, {"precision", half ? "bfloat16" : "float32"}};
  report["data"] = {{"clip", text(data.num_frames, " frames of ", data.crop_size, "x", data.crop_size)},
                    {"batch_size", data.batch_size},
                    {"clips_per_video", data.num_clips}};
  report["training"]["epochs"] = o.epochs;
  if (o.ipe) {
    report["training"]["steps_per_epoch"] = *o.ipe;
    report["training"]["steps"] = *o.ipe * o.epochs;
    report["training"]["clips"] = *o.ipe * o.epochs * data.batch_size * data.num_clips;
  } else {
    report["training"]["steps_per_epoch"] = "videos / batch size";
  }
  report["training"]["lr"] = text(o.start_lr, " to ", o.lr, " to ", o.final_lr);
  report["training"]["warmup_epochs"] = o.warmup;
  report["masks"] = Report::array();
  NamedModels::with(model.model_name, data.patch_size, data.tubelet_size, [&]<class Encoder>() {
    NamedPredictorWidths::with<Encoder>(model.pred_embed_dim, [&]<class Guess>() {
      if (half) {
        add_cost<Cpu<bf16>, Encoder, Guess>(config, report);
      } else {
        add_cost<Cpu<float>, Encoder, Guess>(config, report);
      }
    });
  });
  report["warnings"] = root.warnings();
  return report;
}

/// What a configuration of an evaluation names, as it stands there.
Report describe_evaluation(YamlSection& root) {
  Report report;
  report["evaluation"] = root.required<std::string>("eval_name");
  for (const auto& [name, keys] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"pretrain", {"model_name", "patch_size", "tubelet_size", "frames_per_clip", "folder", "checkpoint"}},
           {"data",
            {"dataset_name", "dataset_type", "dataset_train", "dataset_val", "root_path", "image_folder", "num_classes",
             "frames_per_clip", "frame_step", "num_segments", "num_views_per_segment", "resolution"}},
           {"optimization", {"resolution", "num_epochs", "batch_size", "lr", "weight_decay"}}}) {
    YamlSection section = root.section(name);
    for (const std::string& key : keys) {
      if (const auto value = section.find<std::string>(key)) report[name][key] = *value;
    }
  }
  return report;
}

}  // namespace

Report describe_config(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  std::optional<YamlSection> root;
  try {
    root.emplace(read_yaml(path));
  } catch (const Error& e) {
    refuse(path, text("is text, but no configuration (", e.what(), ")"));
  }
  root.emplace(read_yaml(path, overrides));
  // Where a run would write does not matter here, and the examples leave it to the command line.
  if (!root->section("logging").has("folder")) {
    std::vector<std::string> more = overrides;
    more.push_back("logging.folder=unnamed");
    root.emplace(read_yaml(path, more));
  }
  Report report;
  report["file"] = path.string();
  const bool evaluation = root->has("eval_name");
  if (!evaluation && !root->has("model") && !root->has("mask")) {
    refuse(path, "is YAML, but no configuration of a pretraining or an evaluation");
  }
  report["kind"] = evaluation ? "configuration of an evaluation" : "configuration of a pretraining";
  report.update(evaluation ? describe_evaluation(*root) : describe_pretraining(*root));
  return report;
}
