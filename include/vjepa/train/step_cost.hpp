#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/train/jepa_pass.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa {

/// What a pretraining step costs. Operations count a multiply-add as two; memory is in bytes.
struct StepCost {
  Index encoder_parameters = 0;
  Index predictor_parameters = 0;
  double product_flops = 0;
  double attention_flops = 0;
  std::size_t clip_bytes = 0;        // pixels, on the device
  std::size_t activation_bytes = 0;  // of the pass, at its peak
  std::size_t weight_bytes = 0;      // encoder, target encoder, predictor, with their masters
  std::size_t gradient_bytes = 0;
  std::size_t moment_bytes = 0;  // AdamW's two

  double flops() const { return product_flops + attention_flops; }
  std::size_t bytes() const { return clip_bytes + activation_bytes + weight_bytes + gradient_bytes + moment_bytes; }
};

/// The cost of a step with these masks on device D, from a dry run: no memory is taken and nothing is computed.
template <class D, class Encoder, class PredictorModel>
StepCost step_cost(const PretrainConfig& config, const std::vector<Masks>& masks) {
  using E = Estimate<D>;
  using T = Grad<E>;
  Context<E> ctx;
  const ClipSize size{
      .frames = config.data.num_frames, .height = config.data.crop_size, .width = config.data.crop_size};
  const Index tokens = Encoder::grid(size).size();
  const Index clips = masks.front().batch * config.data.num_clips;
  const Weights<E, Encoder> encoder(ctx, Encoder{});
  const Weights<E, PredictorModel> predictor(
      ctx, PredictorModel{.depth = config.model.pred_depth, .mask_tokens = static_cast<Index>(masks.size())});
  const Index trained = encoder.layout().size() + predictor.layout().size();
  const Index held = trained + encoder.layout().size();

  const Array<E, Scalar<E>> pixels(ctx, clips * Encoder::dims.channels * size.frames * size.height * size.width);
  const Array<E, std::int32_t> indices(ctx, clips * tokens);
  const Array<E, T> values(ctx, trained);  // gradients, positions and loss terms: what they hold is never read
  std::vector<MaskGroup> groups;
  for (const Masks& m : masks) {
    groups.push_back({TokenIndices(indices.data(), clips, m.kept), TokenIndices(indices.data(), clips, m.hidden)});
  }
  Arena<E> arena(ctx, E::unlimited);
  JepaPass<E, Encoder, PredictorModel>::run(
      ctx, arena,
      {encoder.params(), encoder.params(), predictor.params(), Mat<const T>(values.data(), tokens, Encoder::dim),
       Mat<const T>(values.data(), tokens, PredictorModel::dims.dim), config.model.recomputed_blocks},
      {Clips<const Scalar<E>>(pixels.data(), clips, Encoder::dims.channels, size.frames, size.height, size.width),
       TokenIndices(indices.data(), clips, tokens), groups},
      {config.loss.loss_exp, config.loss.reg_coeff}, {values.view().slice(0, 1), values.view().slice(0, 1)},
      {encoder.bind(values), predictor.bind(values)});

  const auto bytes = [](Index count, std::size_t each) { return static_cast<std::size_t>(count) * each; };
  const std::size_t weight = sizeof(T) + (std::is_same_v<T, Scalar<E>> ? 0 : sizeof(Scalar<E>));
  return {.encoder_parameters = count_params(encoder.module()),
          .predictor_parameters = count_params(predictor.module()),
          .product_flops = ctx.product_flops,
          .attention_flops = ctx.attention_flops,
          .clip_bytes = bytes(pixels.size(), sizeof(Scalar<E>)),
          .activation_bytes = arena.peak(),
          .weight_bytes = bytes(held, weight),
          .gradient_bytes = bytes(trained, sizeof(T)),
          .moment_bytes = bytes(2 * trained, sizeof(T))};
}

}  // namespace vjepa
