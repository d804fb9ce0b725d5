// A mask collator of one's own: which tokens the encoder sees, and which the predictor guesses.
//
//   cmake --build --preset default --target 03_custom_mask && build/bin/03_custom_mask
//
// A collator is whatever makes `Masks`. What must hold: every clip of the batch keeps as many tokens as the others and
// hides as many, at least one of each; indices lie within the grid and rise; no token is both. It draws from a
// `RandomSource` that it is given and from nothing else, so that a run can be repeated. The program draws a mask,
// checks it, and trains some steps with it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrainer.hpp"

using namespace vjepa;

/// Hides a square that drifts over the clip by a token a frame, in one of eight directions, and comes back in at the
/// other side when it leaves: a mask that moves as things in videos do.
struct DriftingSquare {
  Index side = 2;

  template <RandomSource R>
  Masks operator()(const TokenGrid& grid, Index batch, R& random) const {
    const Index hidden = side * side * grid.depth;
    Masks masks{.batch = batch, .kept = grid.size() - hidden, .hidden = hidden, .context = {}, .target = {}};
    for (Index clip = 0; clip < batch; ++clip) {
      const Index top = random.below(grid.height);
      const Index left = random.below(grid.width);
      Index down = 0;
      Index right = 0;
      while (down == 0 && right == 0) {
        down = random.below(3) - 1;
        right = random.below(3) - 1;
      }
      std::int32_t token = 0;
      for (Index d = 0; d < grid.depth; ++d) {
        const auto inside = [&](Index at, Index begin, Index step, Index size) {
          return ((at - begin - d * step) % size + size) % size < side;
        };
        for (Index h = 0; h < grid.height; ++h) {
          for (Index w = 0; w < grid.width; ++w) {
            const bool hide = inside(h, top, down, grid.height) && inside(w, left, right, grid.width);
            (hide ? masks.target : masks.context).push_back(token++);
          }
        }
      }
    }
    return masks;
  }
};

/// Frames side by side; '#' is hidden.
void draw(const Masks& masks, const TokenGrid& grid) {
  for (Index h = 0; h < grid.height; ++h) {
    for (Index d = 0; d < grid.depth; ++d) {
      for (Index w = 0; w < grid.width; ++w) {
        const auto token = static_cast<std::int32_t>((d * grid.height + h) * grid.width + w);
        const auto end = masks.target.begin() + masks.hidden;  // of the first clip
        std::printf("%c", std::find(masks.target.begin(), end, token) != end ? '#' : '.');
      }
      std::printf("  ");
    }
    std::printf("\n");
  }
}

/// Whether the first clip's two lists are a rising cut of all tokens.
bool is_partition(const Masks& masks, const TokenGrid& grid) {
  const std::vector<std::int32_t> context(masks.context.begin(), masks.context.begin() + masks.kept);
  const std::vector<std::int32_t> target(masks.target.begin(), masks.target.begin() + masks.hidden);
  std::vector<std::int32_t> both;
  std::merge(context.begin(), context.end(), target.begin(), target.end(), std::back_inserter(both));
  return both == every_token(1, grid.size());
}

int main() {
  using D = Cpu<float>;
  using Encoder = ViT<VitDims{.dim = 48, .depth = 2, .heads = 3, .patch = 8, .tubelet = 2}>;
  using Guess = Predictor<PredictorDims{.encoder_dim = Encoder::dim, .dim = 24, .heads = 3}>;

  PretrainConfig config;
  config.data.num_frames = 8;
  config.data.crop_size = 48;
  config.model.pred_depth = 2;
  config.mask.resize(1);  // one group of masks, which step() is given
  config.optimization.epochs = 1;
  config.optimization.lr = 2e-3;

  D::Context ctx(1);
  constexpr Index steps = 8;
  constexpr Index batch = 2;
  Pretrainer<D, Encoder, Guess> trainer(ctx, config, steps);
  const TokenGrid grid = trainer.grid();
  const DriftingSquare collate{.side = 3};

  std::vector<float> clips(static_cast<std::size_t>(batch * 3 * 8 * 48 * 48));
  Random noise({.seed = 2});
  for (float& pixel : clips) pixel = static_cast<float>(noise.normal());
  for (Index step = 0; step < steps; ++step) {
    Random random({.seed = 3, .purpose = Purpose::mask_place, .sample = static_cast<std::uint64_t>(step)});
    const Masks masks = collate(grid, batch, random);
    if (!is_partition(masks, grid)) return 1;
    if (step == 0) draw(masks, grid);
    const StepReport report = trainer.step(clips, {masks});
    std::printf("step %td: %td tokens seen, %td guessed, loss %.4f\n", step, masks.kept, masks.hidden, report.loss);
  }
  return trainer.steps() == steps ? 0 : 1;
}
