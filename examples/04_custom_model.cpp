// A model of one's own size: its dimensions are known to the compiler, its name to the user.
//
//   cmake --build --preset default --target 04_custom_model && build/bin/04_custom_model [NAME]
//
// Dimensions are template arguments, so that every product and loop over features has a fixed size and what does not
// fit (heads that do not divide the width) does not compile. A ModelList turns a name that is read at run time into
// such a type. What a model costs is measured before any memory is taken, by running it on a device that only counts.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/train/sample_masks.hpp"
#include "vjepa/train/step_cost.hpp"

using namespace vjepa;

using D = Cpu<float>;

/// Half as deep as vit_tiny, half as wide, with an MLP of three times the width.
using ViTPico = ViT<VitDims{.dim = 96, .depth = 6, .heads = 3, .hidden = 288, .patch = 16, .tubelet = 2}>;

// What a checkpoint of it holds is known here: a change of the architecture cannot pass unseen.
static_assert(ViTPico::param_count ==
              6 * (4 * 96 * 96 + 2 * 96 * 288 + 288 + 9 * 96) + 96 * (3 * 2 * 16 * 16) + 3 * 96);

using Models = ModelList<NamedModel<"vit_pico", ViTPico>, NamedModel<"vit_tiny", ViTTiny<>>>;

/// Operations and working memory of features of one clip.
template <class Encoder>
void print_inference(const ClipSize& size) {
  using E = Estimate<D>;
  E::Context ctx;
  Arena<E> arena(ctx, E::unlimited);
  const Index tokens = Encoder::grid(size).size();
  const Weights<E, Encoder> weights(ctx, Encoder{});
  const Array<E, float> pixels(ctx, Encoder::dims.channels * size.frames * size.height * size.width);
  const Array<E, std::int32_t> idx(ctx, tokens);
  const Array<E, float> positions(ctx, tokens * Encoder::dim);
  const Array<E, float> features(ctx, tokens * Encoder::dim);
  const typename Encoder::template Input<E> input{
      Clips<const float>(pixels.data(), 1, Encoder::dims.channels, size.frames, size.height, size.width),
      TokenIndices(idx.data(), 1, tokens), View<const float, Dyn, Encoder::dim>(positions.data(), tokens)};
  Encoder::template infer<E>(ctx, arena, weights.params(), input, Out<E, Encoder::dim>(features.data(), tokens));
  std::printf("  features of %2td frames of %tdx%td: %5td tokens, %6.2f GFLOP, %6.1f MB of working memory\n",
              size.frames, size.height, size.width, tokens, (ctx.product_flops + ctx.attention_flops) * 1e-9,
              static_cast<double>(arena.peak()) * 1e-6);
}

/// Operations and memory of a training step on eight clips.
template <class Encoder>
void print_training() {
  PretrainConfig config;
  config.data.batch_size = 8;
  config.data.crop_size = 112;
  config.mask = {Multiblock3d{.num_blocks = 8, .spatial_scale = {0.15, 0.15}}};
  using Guess = Predictor<PredictorDims{.encoder_dim = Encoder::dim, .dim = 96, .heads = Encoder::dims.heads}>;
  const TokenGrid grid = Encoder::grid({.frames = 16, .height = 112, .width = 112});
  const StepCost cost = step_cost<D, Encoder, Guess>(config, sample_masks(config, grid, config.data.batch_size, 0));
  std::printf("  a training step on 8 clips: %.1f GFLOP, %.0f MB, of which %.0f MB are weights and AdamW's moments\n",
              cost.flops() * 1e-9, static_cast<double>(cost.bytes()) * 1e-6,
              static_cast<double>(cost.weight_bytes + cost.moment_bytes) * 1e-6);
}

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "vit_pico";
  try {
    Models::with(name, 16, 2, [&]<class Encoder>() {
      std::printf("%s: %.2f M parameters\n", name.data(), static_cast<double>(Encoder::param_count) * 1e-6);
      for (const Index side : {112, 224}) print_inference<Encoder>({.frames = 16, .height = side, .width = side});
      print_training<Encoder>();
    });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "04_custom_model: %s\n", e.what());
    return 1;
  }
}
