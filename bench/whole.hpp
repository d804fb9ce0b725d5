#pragma once

// A pretraining step or an encoder's forward pass as a whole, repeated: what another program is compared with.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "measure.hpp"
#include "step.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/model/weights.hpp"
#include "vjepa/train/step_cost.hpp"

namespace vjepa::bench {

struct Whole {
  Index tokens = 0;                  // of a clip
  std::vector<Index> kept = {};      // tokens of context of each mask group; none in a forward pass
  std::vector<Index> hidden = {};    // tokens to predict
  double flops = 0;                  // operations of one repetition, from a dry run
  std::size_t bytes = 0;             // of arrays, from a dry run
  std::int64_t peak_bytes = 0;       // of the process, or of the device's memory, during the repetitions
  std::vector<double> seconds = {};  // of each repetition
};

/// Calls `work` twice, then `steps` times for the record.
template <class D, class Work>
void repeat_whole(Context<D>& ctx, Whole& whole, int steps, Work&& work) {
  constexpr bool device_memory = requires {
    ctx.reset_peak_memory();
  };
  const auto finished = [&] {
    work();
    D::synchronize(ctx);
  };
  repeat(2, finished);
  if constexpr (device_memory) {
    ctx.reset_peak_memory();
  } else {
    reset_peak_memory();
  }
  whole.seconds = repeat(steps, finished);
  if constexpr (device_memory) {
    whole.peak_bytes = static_cast<std::int64_t>(ctx.peak_memory());
  } else {
    whole.peak_bytes = peak_memory();
  }
}

/// Steps with the masks of a run's first step, so that all cost the same.
template <class D, class Encoder>
Whole whole_step(Context<D>& ctx, const Workload& workload, int steps) {
  using Guess = OfficialPredictor<Encoder>;
  const PretrainConfig config = official(workload);
  const std::vector<float> clips = workload.cut ? std::vector<float>() : random_clips(workload);
  const std::vector<CutClip> cut = workload.cut ? random_cut_clips(workload) : std::vector<CutClip>();
  Pretrainer<D, Encoder, Guess> trainer(ctx, config, 300);
  const std::vector<Masks> masks = sample_masks(config, trainer.grid(), workload.batch, 0);
  const StepCost cost = step_cost<D, Encoder, Guess>(config, masks);
  Whole whole{.tokens = trainer.grid().size(), .flops = cost.flops(), .bytes = cost.bytes()};
  for (const Masks& m : masks) {
    whole.kept.push_back(m.kept);
    whole.hidden.push_back(m.hidden);
  }
  const auto stage = [&] { workload.cut ? trainer.stage(cut) : trainer.stage(clips); };
  stage();
  repeat_whole<D>(ctx, whole, steps, [&] {
    // As a run does: clips are copied beside the work on those before, or before it.
    trainer.step_staged(masks, [&] {
      if (D::Feed::beside) stage();
    });
    if (!D::Feed::beside) stage();
  });
  return whole;
}

/// The encoder on all tokens of the clips, nothing kept for a backward pass.
template <class D, class Encoder>
Whole whole_forward(Context<D>& ctx, const Workload& workload, int steps) {
  const ClipSize size = workload.clip();
  const Index tokens = Encoder::grid(size).size();
  const Index rows = workload.batch * tokens;
  FrozenWeights<D, Encoder> weights(ctx, Encoder{});
  weights.upload(ctx, initial_values<Grad<D>>(weights.layout(), 0, 0));
  const std::vector<float> table = Encoder::positions(size, true);
  const Array<D, Grad<D>> positions(ctx, std::vector<Grad<D>>(table.begin(), table.end()));
  const Array<D, std::int32_t> idx(ctx, every_token(workload.batch, tokens));
  const std::vector<float> host_clips = random_clips(workload);
  const Array<D, Scalar<D>> clips(ctx, std::vector<Scalar<D>>(host_clips.begin(), host_clips.end()));
  const Array<D, Scalar<D>> features(ctx, rows * Encoder::dim);
  const auto infer = [&]<class E>(Context<E>& c, Arena<E>& arena) {
    Encoder::template infer<E>(
        c, arena, weights.params(),
        {Clips<const Scalar<D>>(clips.data(), workload.batch, 3, size.frames, size.height, size.width),
         TokenIndices(idx.data(), workload.batch, tokens),
         View<const Grad<D>, Dyn, Encoder::dim>(positions.data(), tokens)},
        Out<E, Encoder::dim>(features.data(), rows));
  };

  typename Estimate<D>::Context dry;
  Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
  infer.template operator()<Estimate<D>>(dry, dry_arena);
  const auto bytes = [](Index count, std::size_t each) { return static_cast<std::size_t>(count) * each; };
  Whole whole{.tokens = tokens,
              .flops = dry.product_flops + dry.attention_flops,
              .bytes = bytes(weights.layout().size(), sizeof(Scalar<D>)) + bytes(clips.size(), sizeof(Scalar<D>)) +
                       bytes(features.size(), sizeof(Scalar<D>)) + dry_arena.peak()};
  Workspace<D> workspace;
  repeat_whole<D>(ctx, whole, steps, [&] { workspace.run(ctx, infer); });
  return whole;
}

}  // namespace vjepa::bench
