#pragma once

// Where the time of a pretraining step goes: the whole step, and its stages on their own with the shapes of the step,
// against the operations they cannot avoid and the best matrix-product rate of the same run.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "measure.hpp"
#include "vjepa/core/arena.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/cut_clip.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/train/pretrainer.hpp"
#include "vjepa/train/sample_masks.hpp"

namespace vjepa::bench {

/// A batch of clips.
struct Workload {
  Index batch = 1;
  Index frames = 16;
  Index crop = 224;             // pixels, square
  Index recomputed_blocks = 0;  // of the encoder, in training
  bool cut = false;             // clips come as bytes that the device resizes

  ClipSize clip() const { return {.frames = frames, .height = crop, .width = crop}; }
};

/// The official pretraining configuration, for another batch.
inline PretrainConfig official(const Workload& w) {
  PretrainConfig config;
  config.data.batch_size = w.batch;
  config.data.num_frames = w.frames;
  config.data.crop_size = w.crop;
  config.mask = {Multiblock3d{.num_blocks = 8, .spatial_scale = {0.15, 0.15}},
                 Multiblock3d{.num_blocks = 2, .spatial_scale = {0.7, 0.7}}};
  config.model.pred_depth = 12;
  config.model.pred_embed_dim = 384;
  config.model.recomputed_blocks = w.recomputed_blocks;
  config.optimization.epochs = 300;
  config.optimization.lr = 1e-4;
  config.optimization.clip_grad = 10;
  return config;
}

/// The predictor of the official configuration.
template <class Encoder>
using OfficialPredictor =
    Predictor<PredictorDims{.encoder_dim = Encoder::dim, .dim = 384, .heads = Encoder::dims.heads}>;

/// Clips as they are cut out of videos of 320x240, of the mean area of random crops.
inline std::vector<CutClip> random_cut_clips(const Workload& w) {
  Random random({.seed = 2});
  std::vector<CutClip> clips(static_cast<std::size_t>(w.batch));
  for (CutClip& clip : clips) {
    clip.frames = Frames(w.frames, 200, 250);
    for (std::uint8_t& pixel : clip.frames.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  }
  return clips;
}

/// Pixels as they come from the loader, [batch, 3, frames, crop, crop].
inline std::vector<float> random_clips(const Workload& w) {
  Random random({.seed = 2});
  std::vector<float> pixels(static_cast<std::size_t>(w.batch * 3 * w.frames * w.crop * w.crop));
  for (float& pixel : pixels) pixel = static_cast<float>(random.uniform(-2, 2));
  return pixels;
}

struct Cost {
  Timing time;
  double flops = 0;

  double rate() const { return flops / time.median * 1e-9; }
};

/// `count` normal numbers on the device, which repeat after some millions; products of numbers that are all alike may
/// run faster than those of data.
template <class D, class T>
Array<D, T> random_values(Context<D>& ctx, Index count) {
  constexpr Index drawn = Index{1} << 22;
  Random random({.seed = 1});
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(count));
  for (Index i = 0; i < std::min(count, drawn); ++i) values.push_back(T(static_cast<float>(random.normal())));
  for (Index i = drawn; i < count; ++i) values.push_back(values[static_cast<std::size_t>(i - drawn)]);
  return Array<D, T>(ctx, values);
}

/// Times `work` and what it left under way on the device.
template <class D, class Work>
Timing measure_on(Context<D>& ctx, Work&& work, double seconds = 1.0, int least = 5) {
  return measure(
      [&] {
        work();
        D::synchronize(ctx);
      },
      seconds, least);
}

/// The fastest product of this device, in GFLOP/s: what any stage could reach at most.
template <class D>
double best_rate(Context<D>& ctx) {
  using S = Scalar<D>;
  double best = 0;
  for (const Index n : {1024, 2048, 8192}) {
    if (n > 2048 && best < 2000) continue;  // seconds each
    const auto x = random_values<D, S>(ctx, n * n);
    const Array<D, S> y(ctx, n * n);
    const Mat<const S> xv(x.data(), n, n);
    const auto time = measure_on<D>(ctx, [&] { D::linear_backward_data(ctx, xv, xv, Mat<S>(y.data(), n, n)); });
    best = std::max(best, 2e-9 * static_cast<double>(n * n * n) / time.low);
  }
  return best;
}

template <class D, class Encoder>
class StepBench {
 public:
  using S = Scalar<D>;
  using T = Grad<D>;
  using Guess = OfficialPredictor<Encoder>;
  static constexpr Index dim = Encoder::dim;

  explicit StepBench(const Workload& workload)
      : batch_(workload.batch),
        config_(official(workload)),
        trainer_(ctx_, config_, 300),
        size_(workload.clip()),
        tokens_(Encoder::grid(size_).size()),
        host_clips_(random_clips(workload)),
        clips_(ctx_, std::vector<S>(host_clips_.begin(), host_clips_.end())) {}

  void run(const std::string& name) {
    const double best = best_rate<D>(ctx_);
    std::printf("\n%s, batch %td, %td frames of %tdx%td; %s; %s; %s\nbest product: %.0f GFLOP/s\n\n", name.c_str(),
                batch_, size_.frames, size_.height, size_.width, processor().c_str(), D::describe(ctx_).c_str(),
                compiler().c_str(), best);
    std::printf("| stage | ms | ± | GFLOP | GFLOP/s | of best |\n|---|---|---|---|---|---|\n");

    StepReport report = trainer_.step(host_clips_);
    const Cost whole{measure_on<D>(
                         ctx_, [&] { report = trainer_.step(host_clips_); }, 10, 3),
                     0};
    // Which tokens a mask keeps changes from step to step; the stages take the numbers of the last step.
    kept_ = report.kept;
    Cost sum;
    const auto stage = [&](const char* what, const Cost& cost) {
      row(what, cost, best);
      sum.time.median += cost.time.median;
      sum.flops += cost.flops;
    };
    stage("embed", embed());
    stage("attention", attention());
    stage("MLP", mlp());
    stage("predictor", predictor());
    stage("optimizer", optimizer());
    row("sum of stages", sum, best);
    row("whole step", {whole.time, sum.flops}, best);
    std::string kept;
    std::string hidden;
    for (const Masks& m : sample_masks(config_, trainer_.grid(), batch_, trainer_.steps() - 1)) {
      kept += text(kept.empty() ? "" : ",", m.kept);
      hidden += text(hidden.empty() ? "" : ",", m.hidden);
    }
    std::printf("\nactivations of the largest step: %.1f MB; the last step's masks: --kept %s --hidden %s\n",
                static_cast<double>(trainer_.workspace_bytes()) * 1e-6, kept.c_str(), hidden.c_str());
  }

 private:
  static void row(const char* what, const Cost& c, double best) {
    std::printf("| %s | %.1f | %.0f %% | %.1f | %.0f | %.0f %% |\n", what, 1e3 * c.time.median, 100 * c.time.spread(),
                c.flops * 1e-9, c.rate(), 100 * c.rate() / best);
  }

  /// Times `work` on the device, and counts its operations by a dry run.
  template <class Work>
  Cost cost(Work&& work) {
    typename Estimate<D>::Context dry;
    Arena<Estimate<D>> dry_arena(dry, Estimate<D>::unlimited);
    work.template operator()<Estimate<D>>(dry, dry_arena);
    Arena<D> arena(ctx_, dry_arena.peak());
    const auto time = measure_on<D>(ctx_, [&] {
      const typename Arena<D>::Scope scope(arena);
      work.template operator()<D>(ctx_, arena);
    });
    return {time, dry.product_flops + dry.attention_flops};
  }

  static Cost times(Cost c, Index n) {
    const auto factor = static_cast<double>(n);
    return {{c.time.median * factor, c.time.low * factor, c.time.high * factor}, c.flops * factor};
  }
  static Cost plus(const Cost& a, const Cost& b) {
    return {{a.time.median + b.time.median, a.time.low + b.time.low, a.time.high + b.time.high}, a.flops + b.flops};
  }

  Array<D, std::int32_t> indices(Index count) { return Array<D, std::int32_t>(ctx_, every_token(batch_, count)); }

  auto encoder_params() { return trainer_.encoder().params(); }
  auto encoder_gradients() { return trainer_.encoder().bind(gradients_); }

  Cost embed() {
    const auto p = encoder_params().patch_embed;
    const auto g = encoder_gradients().patch_embed;
    const Clips<const S> clips(clips_.data(), batch_, 3, size_.frames, size_.height, size_.width);
    const auto on = [&](Index count, bool backward) {
      const auto idx = indices(count);
      const TokenIndices tokens(idx.data(), batch_, count);
      return cost([&]<class E>(Context<E>& ctx, Arena<E>& arena) {
        const auto y = arena.template take<S, Dyn, dim>(batch_ * count);
        Encoder::Embed::template forward<E>(ctx, arena, p, clips, tokens, y);
        if (backward) Encoder::Embed::template backward<E>(ctx, arena, clips, tokens, y, g);
      });
    };
    Cost total = on(tokens_, false);
    for (const Index kept : kept_) total = plus(total, on(kept, true));
    return total;
  }

  /// The target encoder's forward pass on all tokens, and both passes of the encoder on each group's.
  template <class Work>
  Cost layers(Work&& work) {
    Cost total = times(work(Sequences{batch_, tokens_}, false), Encoder::dims.depth);
    for (const Index kept : kept_) total = plus(total, times(work(Sequences{batch_, kept}, true), Encoder::dims.depth));
    return total;
  }

  Cost attention() {
    using Attn = typename Encoder::Layer::Attn;
    return layers([&](Sequences s, bool backward) {
      const auto p = encoder_params().blocks[0].attn;
      const auto g = encoder_gradients().blocks[0].attn;
      return cost([&]<class E>(Context<E>& ctx, Arena<E>& arena) {
        const auto x = arena.template take<S, Dyn, dim>(s.rows());
        const auto y = arena.template take<S, Dyn, dim>(s.rows());
        using Saved = typename Attn::template Saved<E>;
        const Saved saved = backward ? Saved::take(arena, s) : Saved::take_for_inference(arena, s);
        Attn::template forward<E>(ctx, p, s, x, x, y, saved);
        if (backward) Attn::template backward<E>(ctx, arena, p, s, x, saved, y, y, g);
      });
    });
  }

  Cost mlp() {
    using Ffn = typename Encoder::Layer::Ffn;
    return layers([&](Sequences s, bool backward) {
      const auto p = encoder_params().blocks[0].mlp;
      const auto g = encoder_gradients().blocks[0].mlp;
      return cost([&]<class E>(Context<E>& ctx, Arena<E>& arena) {
        const auto x = arena.template take<S, Dyn, dim>(s.rows());
        const auto y = arena.template take<S, Dyn, dim>(s.rows());
        using Saved = typename Ffn::template Saved<E>;
        const Saved saved = backward ? Saved::take(arena, s.rows()) : Saved{};
        Ffn::template forward<E>(ctx, arena, p, x, x, y, saved);
        if (backward) Ffn::template backward<E>(ctx, arena, p, x, saved, y, y, g);
      });
    });
  }

  Cost predictor() {
    const auto p = trainer_.predictor().params();
    const auto g = trainer_.predictor().bind(gradients_);
    const Array<D, T> positions(ctx_, trainer_.predictor_positions());
    Cost total;
    for (const Index kept : kept_) {
      const auto context = indices(kept);
      const auto target = indices(tokens_ - kept);
      total =
          plus(total, cost([&]<class E>(Context<E>& ctx, Arena<E>& arena) {
                 const auto x = arena.template take<S, Dyn, dim>(batch_ * kept);
                 const auto z = arena.template take<S, Dyn, dim>(batch_ * (tokens_ - kept));
                 const typename Guess::template Input<E> input{x, TokenIndices(context.data(), batch_, kept),
                                                               TokenIndices(target.data(), batch_, tokens_ - kept),
                                                               View<const T, Dyn, 384>(positions.data(), tokens_), 0};
                 typename Guess::template Saved<E> saved;
                 Guess::template forward<E>(ctx, arena, p, input, z, saved);
                 Guess::template backward<E>(ctx, arena, p, input, saved, z, x, g);
               }));
    }
    return total;
  }

  Cost optimizer() {
    auto& encoder = trainer_.encoder();
    auto& predictor = trainer_.predictor();
    return cost([&]<class E>(Context<E>& ctx, Arena<E>&) {
      if constexpr (std::is_same_v<E, D>) {
        const Vec<const T> zero = gradients_.view();
        trainer_.encoder_adamw().step(ctx, zero.slice(0, encoder.master().size()), encoder.arena(), 0, 0, {},
                                      {trainer_.target_encoder().arena(), 0.99});
        trainer_.predictor_adamw().step(ctx, zero.slice(0, predictor.master().size()), predictor.arena(), 0, 0);
      }
    });
  }

  Index batch_;
  PretrainConfig config_;
  typename D::Context ctx_;
  Pretrainer<D, Encoder, Guess> trainer_;
  ClipSize size_;
  Index tokens_;
  std::vector<float> host_clips_;
  Array<D, S> clips_;
  std::vector<Index> kept_;
  Array<D, T> gradients_{ctx_, std::max(trainer_.encoder().layout().size(), trainer_.predictor().layout().size())};
};

}  // namespace vjepa::bench
