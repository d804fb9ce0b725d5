// A training step, put together by hand: what the trainer does, without configuration, files or videos.
//
//   cmake --build --preset default --target 02_training_step && build/bin/02_training_step
//
// A context encoder sees part of a clip; a predictor guesses the features of the rest; a slowly following copy of the
// encoder says what they are. The program trains them on clips of moving waves, which it makes, and prints the loss.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/mask/multiblock3d.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/optim/adamw.hpp"
#include "vjepa/train/jepa_pass.hpp"

using namespace vjepa;
using D = Cpu<float>;
using Encoder = ViT<VitDims{.dim = 48, .depth = 2, .heads = 3, .patch = 8, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = Encoder::dim, .dim = 24, .heads = 3}>;

constexpr ClipSize clip_size{.frames = 8, .height = 32, .width = 32};
constexpr Index batch_size = 4;

/// [batch, channels, frames, height, width]: in each clip a wave of its own that moves.
std::vector<float> waves(Random& random) {
  const auto [frames, height, width] = clip_size;
  std::vector<float> pixels;
  for (Index clip = 0; clip < batch_size; ++clip) {
    const double along_x = random.uniform(-0.5, 0.5);
    const double along_y = random.uniform(-0.5, 0.5);
    const double speed = random.uniform(-1, 1);
    const double phase = random.uniform(0, 6.28);
    for (Index i = 0; i < Encoder::dims.channels * frames * height * width; ++i) {
      const auto x = static_cast<double>(i % width);
      const auto y = static_cast<double>(i / width % height);
      const auto t = static_cast<double>(i / (width * height) % frames);
      pixels.push_back(static_cast<float>(std::sin(phase + along_x * x + along_y * y + speed * t)));
    }
  }
  return pixels;
}

int main() {
  D::Context ctx(1);  // one thread: more would wait for each other in so small a model

  // The networks. The target encoder starts as the encoder.
  Weights<D, Encoder> encoder(ctx, Encoder{});
  Weights<D, Encoder> target(ctx, Encoder{});
  Weights<D, Guess> predictor(ctx, Guess{.depth = 2, .mask_tokens = 1});
  encoder.init(ctx, 0, 0);
  predictor.init(ctx, 0, 1);
  target.upload(ctx, encoder.download(ctx));

  // What training adds: gradients in the layout of the weights, AdamW's moments, positions, the two terms of the loss,
  // and memory for activations.
  Array<D, float> encoder_gradient(ctx, encoder.layout().size());
  Array<D, float> predictor_gradient(ctx, predictor.layout().size());
  AdamW<D> encoder_adamw(ctx, encoder.layout(), {});
  AdamW<D> predictor_adamw(ctx, predictor.layout(), {});
  const TokenGrid grid = Encoder::grid(clip_size);
  const Array<D, float> encoder_positions(ctx, Encoder::positions(clip_size, true));
  const Array<D, float> predictor_positions(ctx, Guess::positions(grid, true, true));
  const Array<D, std::int32_t> every(ctx, every_token(batch_size, grid.size()));
  const Array<D, float> terms(ctx, 2);
  Workspace<D> workspace;

  const Multiblock3d mask{.num_blocks = 2, .spatial_scale = {0.3, 0.3}};
  constexpr int steps = 60;
  double first = 0;
  double last = 0;
  for (int step = 0; step < steps; ++step) {
    Random random({.seed = 1, .sample = static_cast<std::uint64_t>(step)});
    const Array<D, float> pixels(ctx, waves(random));
    const Masks masks = mask(grid, batch_size, random, random);
    const Array<D, std::int32_t> context_idx(ctx, masks.context);
    const Array<D, std::int32_t> target_idx(ctx, masks.target);
    const MaskGroup group{TokenIndices(context_idx.data(), batch_size, masks.kept),
                          TokenIndices(target_idx.data(), batch_size, masks.hidden)};

    // Forward and backward, from pixels to the gradient of every parameter.
    encoder_gradient.clear(ctx);
    predictor_gradient.clear(ctx);
    workspace.run(ctx, [&]<class E>(Context<E>& on, Arena<E>& arena) {
      using Pass = JepaPass<E, Encoder, Guess>;
      const typename Pass::Models models{encoder.params(), target.params(), predictor.params(),
                                         Mat<const float>(encoder_positions.data(), grid.size(), Encoder::dim),
                                         Mat<const float>(predictor_positions.data(), grid.size(), Guess::dims.dim)};
      const typename Pass::Batch batch{Clips<const float>(pixels.data(), batch_size, Encoder::dims.channels,
                                                          clip_size.frames, clip_size.height, clip_size.width),
                                       TokenIndices(every.data(), batch_size, grid.size()),
                                       {&group, 1}};
      Pass::run(on, arena, models, batch, {.exponent = 1, .reg_coeff = 0},
                {terms.view().slice(0, 1), terms.view().slice(1, 1)},
                {encoder.bind(encoder_gradient), predictor.bind(predictor_gradient)});
    });

    // The update: AdamW for encoder and predictor, and with the encoder's a moving average, the target encoder.
    encoder_adamw.step(ctx, encoder_gradient.view(), encoder.arena(), 2e-3, 0.04, {}, {target.arena(), 0.99});
    predictor_adamw.step(ctx, predictor_gradient.view(), predictor.arena(), 2e-3, 0.04);

    const double loss = terms.download(ctx)[0];
    if (step % 10 == 0)
      std::printf("step %2d: loss %.4f, %td tokens seen of %td\n", step, loss, masks.kept, grid.size());
    if (step < 10) first += loss / 10;
    if (step >= steps - 10) last += loss / 10;
  }
  std::printf("mean of ten steps: %.4f at the beginning, %.4f at the end\n", first, last);
  return last < 0.8 * first ? 0 : 1;
}
