// Where the time of a pretraining step goes: the whole step, and its stages on their own with the shapes of the step,
// against the operations they cannot avoid and the best matrix-product rate of the same run.
//
//   bench_step [--model vit_tiny|vit_small|vit_base] [--dtype float32|bfloat16] [--batch N] [--crop N] [--videos LIST]

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "measure.hpp"
#include "program_gemm.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/loader.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/train/pretrainer.hpp"

using namespace vjepa;

namespace {

/// The official pretraining configuration, at another batch and crop.
PretrainConfig official(Index batch, Index crop) {
  PretrainConfig config;
  config.data.batch_size = batch;
  config.data.crop_size = crop;
  config.mask = {Multiblock3d{.num_blocks = 8, .spatial_scale = {0.15, 0.15}},
                 Multiblock3d{.num_blocks = 2, .spatial_scale = {0.7, 0.7}}};
  config.model.pred_depth = 12;
  config.model.pred_embed_dim = 384;
  config.optimization.epochs = 300;
  config.optimization.lr = 1e-4;
  config.optimization.clip_grad = 10;
  return config;
}

struct Cost {
  bench::Timing time;
  double flops = 0;

  double rate() const { return flops / time.median * 1e-9; }
};

/// The fastest product of this device, in GFLOP/s: what any stage could reach at most.
template <class D>
double best_rate(Context<D>& ctx) {
  using S = Scalar<D>;
  double best = 0;
  for (const Index n : {1024, 2048}) {
    const std::vector<S> x(static_cast<std::size_t>(n * n), S(0.5f));
    std::vector<S> y(x.size());
    const Mat<const S> xv(x.data(), n, n);
    const auto time = bench::measure([&] { D::linear_backward_data(ctx, xv, xv, Mat<S>(y.data(), n, n)); });
    best = std::max(best, 2e-9 * static_cast<double>(n * n * n) / time.low);
  }
  return best;
}

template <class D, class Encoder>
class StepBench {
 public:
  using S = Scalar<D>;
  using T = Grad<D>;
  using Guess = Predictor<PredictorDims{.encoder_dim = Encoder::dim, .dim = 384, .heads = Encoder::dims.heads}>;
  static constexpr Index dim = Encoder::dim;

  StepBench(Index batch, Index crop)
      : batch_(batch),
        config_(official(batch, crop)),
        trainer_(ctx_, config_, 300),
        size_{.frames = config_.data.num_frames, .height = crop, .width = crop},
        tokens_(Encoder::grid(size_).size()),
        clips_(static_cast<std::size_t>(batch * 3 * size_.frames * crop * crop), 0.3f) {}

  void run(const std::string& name) {
    const double best = best_rate<D>(ctx_);
    std::printf("\n%s, batch %td, %td frames of %tdx%td; %s; %s; %s\nbest product: %.0f GFLOP/s\n\n", name.c_str(),
                batch_, size_.frames, size_.height, size_.width, bench::processor().c_str(), D::describe(ctx_).c_str(),
                bench::compiler().c_str(), best);
    std::printf("| stage | ms | ± | GFLOP | GFLOP/s | of best |\n|---|---|---|---|---|---|\n");

    StepReport report = trainer_.step(clips_);
    const Cost whole{bench::measure([&] { report = trainer_.step(clips_); }, 10, 3), 0};
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
  }

  /// What one thread of the loader needs for a batch of these videos; it works while the step does.
  void run_data(const std::string& videos) {
    VideoList list;
    list.add(videos);
    LoaderOptions options;
    options.batch_size = batch_;
    options.workers = 1;
    options.sampler.frames_per_clip = size_.frames;
    options.sampler.frame_step = config_.data.sampling_rate;
    options.transform.size = size_.height;
    Loader loader(list, options, 0);
    for (int i = 0; i < 8; ++i) loader.next();  // beyond what is read ahead
    const auto time = bench::measure([&] { loader.next(); }, 20, 10);
    std::printf("| data, one thread | %.1f | %.0f %% | | | |\n", 1e3 * time.median, 100 * time.spread());
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
    const auto time = bench::measure([&] {
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

  std::vector<std::int32_t> indices(Index count) const { return every_token(batch_, count); }

  auto encoder_params() { return trainer_.encoder().params(); }
  auto encoder_gradients() { return trainer_.encoder().bind(gradients_); }

  Cost embed() {
    const auto p = encoder_params().patch_embed;
    const auto g = encoder_gradients().patch_embed;
    const Clips<const float> clips(clips_.data(), batch_, 3, size_.frames, size_.height, size_.width);
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
    const auto positions = trainer_.predictor_positions();
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
        trainer_.encoder_adamw().step(ctx, zero.slice(0, encoder.master().size()), encoder.master(), 0, 0);
        trainer_.predictor_adamw().step(ctx, zero.slice(0, predictor.master().size()), predictor.master(), 0, 0);
        D::ema(ctx, 0.99, Vec<const T>(encoder.master()), trainer_.target_encoder().master());
        encoder.refresh(ctx);
        predictor.refresh(ctx);
        trainer_.target_encoder().refresh(ctx);
      }
    });
  }

  Index batch_;
  PretrainConfig config_;
  typename D::Context ctx_;
  Pretrainer<D, Encoder, Guess> trainer_;
  ClipSize size_;
  Index tokens_;
  std::vector<float> clips_;
  std::vector<Index> kept_;
  Array<D, T> gradients_{ctx_, std::max(trainer_.encoder().layout().size(), trainer_.predictor().layout().size())};
};

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  namespace po = boost::program_options;
  std::string model;
  std::string dtype;
  std::string videos;
  Index batch = 0;
  Index crop = 0;
  po::options_description description("bench_step");
  description.add_options()("help", "show this")("model", po::value(&model)->default_value("vit_tiny"),
                                                 "vit_tiny, vit_small or vit_base")(
      "dtype", po::value(&dtype)->default_value("float32"), "float32 or bfloat16")(
      "batch", po::value(&batch)->default_value(1), "clips")("crop", po::value(&crop)->default_value(224), "pixels")(
      "videos", po::value(&videos), "CSV list or folder of videos: measures reading them, too");
  po::variables_map values;
  try {
    po::store(po::parse_command_line(argc, argv, description), values);
    po::notify(values);
    if (values.contains("help")) {
      std::cout << description;
      return 0;
    }
    using Models = ModelList<NamedModel<"vit_tiny", ViTTiny<>>, NamedModel<"vit_small", ViTSmall<>>,
                             NamedModel<"vit_base", ViTBase<>>>;
    Models::with(model, 16, 2, [&]<class Encoder>() {
      const auto measure = [&]<class D>() {
        StepBench<D, Encoder> bench(batch, crop);
        bench.run(model);
        if (!videos.empty()) bench.run_data(videos);
      };
      using Bf16 = Cpu<bf16, ProgramGemm>;
      using F32 = Cpu<float, ProgramGemm>;
      if (dtype == "bfloat16") {
        measure.template operator()<Bf16>();
      } else {
        measure.template operator()<F32>();
      }
    });
  } catch (const std::exception& e) {
    std::cerr << "bench_step: " << e.what() << "\n";
    return 1;
  }
}
