#include "vjepa/train/step_cost.hpp"

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/bf16.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrainer.hpp"
#include "vjepa/train/sample_masks.hpp"

using namespace vjepa;

namespace {

using Encoder = ViT<VitDims{.dim = 16, .depth = 2, .heads = 2, .patch = 8, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = 16, .dim = 8, .heads = 2}>;

PretrainConfig micro() {
  PretrainConfig config;
  config.data.num_frames = 4;
  config.data.crop_size = 32;
  config.mask = {Multiblock3d{.num_blocks = 2, .spatial_scale = {0.3, 0.3}}};
  config.model.pred_depth = 2;
  config.optimization.epochs = 1;
  return config;
}

}  // namespace

TEST_CASE("the cost of a step: products by hand, memory by hand and as the trainer takes it") {
  const PretrainConfig config = micro();
  const ClipSize size{.frames = 4, .height = 32, .width = 32};
  const TokenGrid grid = Encoder::grid(size);
  REQUIRE(grid.size() == 32);
  const auto masks = sample_masks(config, grid, 3, 0);
  const StepCost cost = step_cost<Cpu<float>, Encoder, Guess>(config, masks);

  // A block of width d multiplies each token with 12 d^2 weights; in the predictor's last, tokens that are not hidden
  // need only the 2 d^2 of keys and values. Backward is twice forward, and nothing goes back into the pixels.
  const auto kept = static_cast<double>(3 * masks[0].kept);
  const auto hidden = static_cast<double>(3 * masks[0].hidden);
  const double all = 3 * 32;
  const double embed = 16 * 3 * 2 * 8 * 8;
  const double encoder_blocks = 2 * 12 * 16 * 16;
  const double predictor_blocks = (kept + hidden) * (12 + 2) * 8 * 8 + hidden * 10 * 8 * 8;
  const double products = all * (embed + encoder_blocks) + kept * (2 * embed + 3 * encoder_blocks) +
                          3 * predictor_blocks + 3 * (kept + hidden) * 16 * 8;
  CHECK(cost.product_flops == Approx(2 * products));
  CHECK(cost.attention_flops > 0);
  CHECK(cost.encoder_parameters == Encoder::param_count);

  const auto encoder = static_cast<std::size_t>(ParamLayout(Encoder{}).size());
  const auto predictor = static_cast<std::size_t>(ParamLayout(Guess{.depth = 2, .mask_tokens = 1}).size());
  CHECK(cost.clip_bytes == 3 * 3 * 4 * 32 * 32 * 4);
  CHECK(cost.weight_bytes == 4 * (2 * encoder + predictor));
  CHECK(cost.gradient_bytes == 4 * (encoder + predictor));
  CHECK(cost.moment_bytes == 8 * (encoder + predictor));
  // bfloat16 has a copy of the weights beside the masters, and activations of half the size.
  const StepCost half = step_cost<Cpu<bf16>, Encoder, Guess>(config, masks);
  CHECK(half.weight_bytes == 6 * (2 * encoder + predictor));
  CHECK(half.clip_bytes == cost.clip_bytes / 2);
  CHECK(half.product_flops == cost.product_flops);
  CHECK(half.activation_bytes < cost.activation_bytes);

  Cpu<float>::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> trainer(ctx, config, 1);
  trainer.step(std::vector<float>(cost.clip_bytes / sizeof(float), 0.1f), masks);
  CHECK(trainer.workspace_bytes() == cost.activation_bytes);
}

TEST_CASE("masks of the caller's must be for the clips that they come with") {
  const PretrainConfig config = micro();
  Cpu<float>::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> trainer(ctx, config, 1);
  const std::vector<float> clips(3 * 3 * 4 * 32 * 32, 0.1f);
  CHECK_THROWS_WITH(trainer.step(clips, sample_masks(config, trainer.grid(), 2, 0)),
                    Contains("masks for 2 samples, clips of 3"));
}
