#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"

namespace vjepa {

/// Where a run stands, beside its weights and moments. Schedules and random numbers are functions of the seed and these
/// counts.
struct RunPosition {
  std::int64_t steps = 0;           // trained
  std::int64_t batches_read = 0;    // of the loader
  std::int64_t videos_skipped = 0;  // in the epoch under way
  double epoch_loss = 0;            // sums over the steps of the epoch under way
  double epoch_jepa = 0;
  double epoch_reg = 0;
};

namespace detail {

// Fields as text that reads back to the same bits.
template <class Field>
void each_field(RunPosition& p, Field&& field) {
  field("steps", p.steps);
  field("batches_read", p.batches_read);
  field("videos_skipped", p.videos_skipped);
  field("epoch_loss", p.epoch_loss);
  field("epoch_jepa", p.epoch_jepa);
  field("epoch_reg", p.epoch_reg);
}

inline constexpr const char* run_state_format = "vjepa pretraining run";

}  // namespace detail

/// Writes a checkpoint, whole or not at all: `encoder.`, `target_encoder.` and `predictor.` with the names of the
/// official state dicts, positions included; AdamW's moments under `opt.exp_avg.` and `opt.exp_avg_sq.`; the position
/// as metadata.
template <class Trainer>
void save_run_state(const std::filesystem::path& path, Trainer& trainer, RunPosition position,
                    std::map<std::string, std::string> metadata) {
  auto& ctx = trainer.context();
  StateDict state;
  const auto add = [&](const std::string& name, auto& weights) {
    state.add_params(name, weights.layout(), weights.download(ctx));
  };
  add("encoder.", trainer.encoder());
  add("target_encoder.", trainer.target_encoder());
  add("predictor.", trainer.predictor());
  const auto add_positions = [&](const std::string& name, const auto& values) {
    const auto rows = static_cast<Index>(trainer.grid().size());
    state.add(name, {1, rows, static_cast<Index>(values.size()) / rows}, values);
  };
  add_positions("encoder.pos_embed", trainer.encoder_positions());
  add_positions("target_encoder.pos_embed", trainer.encoder_positions());
  add_positions("predictor.predictor_pos_embed", trainer.predictor_positions());
  const auto add_moments = [&](const std::string& name, auto& adamw, const ParamLayout& layout) {
    state.add_params("opt.exp_avg." + name, layout, adamw.first_moment().download(ctx));
    state.add_params("opt.exp_avg_sq." + name, layout, adamw.second_moment().download(ctx));
  };
  add_moments("encoder.", trainer.encoder_adamw(), trainer.encoder().layout());
  add_moments("predictor.", trainer.predictor_adamw(), trainer.predictor().layout());

  metadata["format"] = detail::run_state_format;
  detail::each_field(position, [&](const char* name, auto value) {
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
    metadata[name] = std::string(buffer, end);
  });
  write_safetensors(path, state.tensors(), metadata);
}

/// Reads what save_run_state wrote, or the official trainer's checkpoint, into a trainer of the same configuration, and
/// returns the position: that of an official run follows from its optimizer's count of steps. Throws Error that says
/// what does not fit; the trainer is changed only when everything fits.
template <class Trainer>
RunPosition load_run_state(const Checkpoint& file, Trainer& trainer) {
  using T = typename Trainer::T;
  auto& ctx = trainer.context();
  RunPosition position;
  const auto read = [&](const char* name, auto& value) {
    const std::string text = file.metadata(name).value_or("");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      fail(file.path().string(), ": the run's '", name, "' is missing or no number");
    }
  };
  if (file.metadata("format") == detail::run_state_format) {
    detail::each_field(position, read);
    if (position.steps < 0 || position.batches_read < 0) {
      fail(file.path().string(), ": the run's 'steps' or 'batches_read' is below 0; the file is damaged");
    }
  } else if (file.metadata("opt.step")) {
    read("opt.step", position.steps);
    position.batches_read = position.steps;
  } else {
    fail(file.path().string(), ": not the state of a pretraining run");
  }

  const ParamLayout& encoder = trainer.encoder().layout();
  const ParamLayout& predictor = trainer.predictor().layout();
  const auto encoder_weights = read_params<T>(file, "encoder.", encoder);
  const auto target_weights = read_params<T>(file, "target_encoder.", encoder);
  const auto predictor_weights = read_params<T>(file, "predictor.", predictor);
  const auto encoder_first = read_params<T>(file, "opt.exp_avg.encoder.", encoder);
  const auto encoder_second = read_params<T>(file, "opt.exp_avg_sq.encoder.", encoder);
  const auto predictor_first = read_params<T>(file, "opt.exp_avg.predictor.", predictor);
  const auto predictor_second = read_params<T>(file, "opt.exp_avg_sq.predictor.", predictor);
  trainer.encoder().upload(ctx, encoder_weights);
  trainer.target_encoder().upload(ctx, target_weights);
  trainer.predictor().upload(ctx, predictor_weights);
  trainer.encoder_adamw().first_moment().upload(ctx, encoder_first);
  trainer.encoder_adamw().second_moment().upload(ctx, encoder_second);
  trainer.predictor_adamw().first_moment().upload(ctx, predictor_first);
  trainer.predictor_adamw().second_moment().upload(ctx, predictor_second);
  trainer.set_steps(position.steps);
  return position;
}

}  // namespace vjepa
