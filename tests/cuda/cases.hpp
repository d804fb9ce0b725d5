#pragma once

// Every member of a device at work on random numbers, written once for all devices, so that what one computes can be
// compared with what another does. Inputs are values that bf16 holds exactly, if it is not told otherwise; results
// begin as NaN.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/bf16.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/pixels.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrain_config.hpp"
#include "vjepa/train/pretrainer.hpp"

namespace vjepa::test {

/// The results of a case by name.
using Outcome = std::map<std::string, std::vector<double>>;

/// What a case is told: sizes that divide into packs of 16 bytes, or odd ones; for attention, the size of a head and
/// how many keys there are; for training, how often, and whether all steps have one shape; for CUDA, whether passes
/// that come again are graphs, and whether products of float32 are by TF32.
struct Sizes {
  bool aligned = true;
  Index head_dim = 32;
  Index keys = 133;
  bool all_bits = false;  // of float, in attention's inputs
  int steps = 3;
  bool one_shape = false;
  bool graphs = false;
  bool tf32 = false;
};

template <Device D>
class Cases {
 public:
  using S = Scalar<D>;
  using T = Grad<D>;

  explicit Cases(Context<D>& ctx) : ctx_(&ctx) {}

  /// Throws Error for a name that is none.
  Outcome run(const std::string& name, const Sizes& sizes) {
    const std::map<std::string, void (Cases::*)(const Sizes&)> all = {
        {"memory", &Cases::memory},         {"growing", &Cases::growing},
        {"products", &Cases::products},     {"rows", &Cases::rows},
        {"attention", &Cases::attention},   {"gather", &Cases::gather},
        {"patchify", &Cases::patchify},     {"losses", &Cases::losses},
        {"deviations", &Cases::deviations}, {"cross_entropy", &Cases::cross_entropy},
        {"update", &Cases::update},         {"training", &Cases::training},
        {"pictures", &Cases::pictures},     {"repeats", &Cases::repeats}};
    const auto found = all.find(name);
    if (found == all.end()) fail("no case '", name, "'");
    outcome_.clear();
    seed_ = 0;
    all_bits_ = sizes.all_bits;
    (this->*found->second)(sizes);
    return std::exchange(outcome_, {});
  }

 private:
  template <class V>
  Array<D, V> random(Index n, double scale = 1) {
    Random random({.seed = ++seed_});
    std::vector<V> host;
    for (Index i = 0; i < n; ++i) {
      const auto value = static_cast<float>(scale * random.normal());
      host.push_back(V(all_bits_ ? value : static_cast<float>(bf16(value))));
    }
    return Array<D, V>(*ctx_, host);
  }
  template <class V>
  Array<D, V> poisoned(Index n) {
    const std::vector<V> host(static_cast<std::size_t>(n), V(std::numeric_limits<float>::quiet_NaN()));
    return Array<D, V>(*ctx_, host);
  }
  Array<D, std::int32_t> indices(Index n, Index below) {
    Random random({.seed = ++seed_});
    std::vector<std::int32_t> host;
    for (Index i = 0; i < n; ++i) host.push_back(static_cast<std::int32_t>(random.below(below)));
    return Array<D, std::int32_t>(*ctx_, host);
  }

  template <class V>
  static Mat<V> matrix(const Array<D, V>& a, Index rows) {
    return Mat<V>(a.data(), rows, a.size() / rows);
  }
  template <class V>
  static Seq<V> sequence(const Array<D, V>& a, Index batch, Index tokens) {
    return Seq<V>(a.data(), batch, tokens, a.size() / batch / tokens);
  }

  template <class V>
  void keep(const std::string& name, const Array<D, V>& a) {
    std::vector<double>& values = outcome_[name];
    for (const V v : a.download(*ctx_)) values.push_back(static_cast<double>(v));
  }

  void memory(const Sizes&) {
    const Index n = Index{5} << 20;  // more than one staging buffer
    std::vector<T> host(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<T>(i % 8191);
    const Array<D, T> a(*ctx_, host);
    const auto b = poisoned<T>(n);
    D::copy(*ctx_, a.data(), b.data(), sizeof(T) * static_cast<std::size_t>(n));
    D::clear(*ctx_, b.data() + 7, 3 * sizeof(T));
    D::synchronize(*ctx_);
    keep("copied", b);
    const auto fed = poisoned<T>(1000);
    D::synchronize(*ctx_);
    typename D::Feed feed(*ctx_);
    feed.upload(*ctx_, host.data(), fed.data(), sizeof(T) * 1000);
    feed.await(*ctx_);
    feed.release(*ctx_);
    keep("fed", fed);
  }

  /// One array at a time, each larger than the one before.
  void growing(const Sizes&) {
    for (const Index mebibytes : {4, 6, 8}) Array<D, std::uint8_t>(*ctx_, mebibytes << 20);
  }

  void products(const Sizes& sizes) {
    const Index m = 67;
    const Index n = sizes.aligned ? 48 : 45;
    const Index k = sizes.aligned ? 64 : 61;
    const auto x = random<S>(m * k);
    const auto w = random<S>(n * k, 1 / std::sqrt(static_cast<double>(k)));
    const auto b = random<S>(n);
    const auto skip = random<S>(m * n);
    const auto y = poisoned<S>(m * n);
    D::linear(*ctx_, matrix(x, m), matrix(w, n), b.view(), matrix(y, m));
    keep("linear", y);
    const auto in_place = random<S>(m * n);
    D::linear_residual(*ctx_, matrix(x, m), matrix(w, n), b.view(), matrix(in_place, m), matrix(in_place, m));
    keep("linear_residual in place", in_place);
    const auto residual = poisoned<S>(m * n);
    D::linear_residual(*ctx_, matrix(x, m), matrix(w, n), b.view(), matrix(skip, m), matrix(residual, m));
    keep("linear_residual", residual);
    const auto pre = poisoned<S>(m * n);
    const auto active = poisoned<S>(m * n);
    D::linear_gelu(*ctx_, matrix(x, m), matrix(w, n), b.view(), matrix(pre, m), matrix(active, m));
    keep("linear_gelu pre", pre);
    keep("linear_gelu", active);
    D::linear_gelu(*ctx_, matrix(x, m), matrix(w, n), b.view(), Mat<S>(), matrix(y, m));
    keep("linear_gelu without pre", y);
    const auto longer = random<S>(n + 1);
    D::linear(*ctx_, matrix(x, m), matrix(w, n), longer.view().slice(1, n), matrix(y, m));
    keep("linear with a bias that is not aligned", y);

    const auto dy = random<S>(m * n);
    const auto dx = poisoned<S>(m * k);
    D::linear_backward_data(*ctx_, matrix(dy, m), matrix(w, n), matrix(dx, m));
    keep("linear_backward_data", dx);
    const auto before = random<S>(m * k);
    const auto dbefore = poisoned<S>(m * k);
    const auto dbefore_sums = random<T>(k);
    const auto value = poisoned<S>(m * k);
    D::linear_backward_data_gelu(*ctx_, matrix(dy, m), matrix(w, n), matrix(before, m), matrix(dbefore, m),
                                 dbefore_sums.view(), matrix(value, m));
    keep("linear_backward_data_gelu", dbefore);
    keep("linear_backward_data_gelu db", dbefore_sums);
    keep("linear_backward_data_gelu value", value);
    D::linear_backward_data_gelu(*ctx_, matrix(dy, m), matrix(w, n), matrix(before, m), matrix(dbefore, m),
                                 dbefore_sums.view(), matrix(before, m));
    keep("linear_backward_data_gelu in place", dbefore);
    keep("linear_backward_data_gelu value in place", before);
    const auto dw = random<T>(n * k);
    const auto db = random<T>(n);
    D::linear_backward_weights(*ctx_, matrix(x, m), matrix(dy, m), matrix(dw, n), db.view());
    keep("linear_backward_weights dw", dw);
    keep("linear_backward_weights db", db);
    D::linear_backward_weights(*ctx_, matrix(x, m), matrix(dy, m), matrix(dw, n), {});
    keep("linear_backward_weights without db", dw);
  }

  void rows(const Sizes& sizes) {
    const Index m = 299;  // more than one part of a sum
    const Index n = sizes.aligned ? 328 : 77;
    const auto x = random<S>(m * n, 3);
    const auto gamma = random<S>(n);
    const auto beta = random<S>(n);
    const auto y = poisoned<S>(m * n);
    const auto stats = poisoned<T>(m * 2);
    D::layer_norm(*ctx_, matrix(x, m), gamma.view(), beta.view(), 1e-6, matrix(y, m), matrix(stats, m));
    keep("layer_norm", y);
    keep("layer_norm stats", stats);
    const auto unkept = poisoned<S>(m * n);
    D::layer_norm(*ctx_, matrix(x, m), gamma.view(), beta.view(), 1e-6, matrix(unkept, m), Mat<T>());
    keep("layer_norm without stats", unkept);
    const auto in_place = random<S>(m * n);
    D::normalize(*ctx_, matrix(in_place, m), 1e-5, matrix(in_place, m));
    keep("normalize in place", in_place);

    const auto dy = random<S>(m * n);
    const auto dgamma = random<T>(n);
    const auto dbeta = random<T>(n);
    const auto dx = poisoned<S>(m * n);
    D::layer_norm_backward(*ctx_, matrix(dy, m), matrix(x, m), gamma.view(), matrix(stats, m), Mat<const S>(),
                           matrix(dx, m), dgamma.view(), dbeta.view());
    keep("layer_norm_backward dx", dx);
    keep("layer_norm_backward dgamma", dgamma);
    keep("layer_norm_backward dbeta", dbeta);
    const auto skip = random<S>(m * n);
    D::layer_norm_backward(*ctx_, matrix(dy, m), matrix(x, m), gamma.view(), matrix(stats, m), matrix(skip, m),
                           matrix(skip, m), dgamma.view(), dbeta.view());
    keep("layer_norm_backward onto skip", skip);
    D::layer_norm_backward(*ctx_, matrix(dy, m), matrix(x, m), gamma.view(), matrix(stats, m), Mat<const S>(),
                           matrix(dy, m), dgamma.view(), dbeta.view());
    keep("layer_norm_backward onto dy", dy);
  }

  void attention(const Sizes& sizes) {
    // More than one tile of either, and not a whole number of them; as columns of one product, as a model has them.
    const Index queries = sizes.keys < 1000 ? 70 : 9;
    const AttentionShape shape{
        .batch = 2, .heads = 2, .queries = queries, .keys = sizes.keys, .head_dim = sizes.head_dim};
    const Index width = shape.heads * shape.head_dim;
    const Index q_rows = shape.batch * shape.queries;
    const Index k_rows = shape.batch * shape.keys;
    const auto q = random<S>(q_rows * width, 2);
    const auto kv = random<S>(k_rows * 2 * width);
    const auto columns = [&](auto* data) {
      return Mat<std::remove_reference_t<decltype(*data)>>(data, k_rows, width).with_stride(2 * width);
    };
    const Mat<const S> k = columns(kv.data());
    const Mat<const S> v = columns(kv.data() + width);
    const auto out = poisoned<S>(q_rows * width);
    const auto lse = poisoned<T>(shape.batch * shape.heads * shape.queries);
    const Mat<T> kept = matrix(lse, shape.batch * shape.heads);
    D::attention(*ctx_, shape, matrix(q, q_rows), k, v, matrix(out, q_rows), kept);
    keep("attention", out);
    keep("attention lse", lse);
    const auto unkept = poisoned<S>(q_rows * width);
    D::attention(*ctx_, shape, matrix(q, q_rows), k, v, matrix(unkept, q_rows), Mat<T>());
    keep("attention without lse", unkept);

    const auto dout = random<S>(q_rows * width);
    const auto dq = poisoned<S>(q_rows * width);
    const auto dkv = poisoned<S>(k_rows * 2 * width);
    D::attention_backward(*ctx_, shape, matrix(q, q_rows), k, v, matrix(out, q_rows), kept, matrix(dout, q_rows),
                          matrix(dq, q_rows), columns(dkv.data()), columns(dkv.data() + width));
    keep("attention_backward dq", dq);
    keep("attention_backward dk and dv", dkv);
  }

  void gather(const Sizes& sizes) {
    const Index batch = 3;
    const Index all = 21;
    const Index kept = 13;
    const Index n = sizes.aligned ? 40 : 37;
    const auto source = random<S>(batch * all * n);
    const auto table = random<T>(all * n);
    const auto token = random<S>(n);
    const auto idx = indices(batch * kept, all);
    const TokenIndices tokens(idx.data(), batch, kept);
    // Tokens that are part of longer sequences, whose others must stay as they are.
    const auto x = random<S>(batch * all * n);
    const Seq<S> part = sequence(x, batch, all).tokens(5, kept);
    D::gather_tokens(*ctx_, sequence(source, batch, all), tokens, part);
    keep("gather_tokens", x);
    D::add_positions(*ctx_, matrix(table, all), tokens, part);
    keep("add_positions", x);
    D::add_tokens(*ctx_, sequence(source, batch, all).tokens(2, kept), part);
    keep("add_tokens", x);
    D::copy_tokens(*ctx_, sequence(source, batch, all).tokens(1, kept), part);
    keep("copy_tokens", x);
    D::fill_tokens(*ctx_, token.view(), sequence(x, batch, all).tokens(0, 4));
    keep("fill_tokens", x);
    const auto sums = random<T>(n);
    D::sum_tokens(*ctx_, sequence(x, batch, all).tokens(3, kept), sums.view());
    keep("sum_tokens", sums);
  }

  void pictures(const Sizes& sizes) {
    const Index frames = 2;
    const Index height = sizes.aligned ? 16 : 15;
    const Index width = sizes.aligned ? 160 : 33;  // more, and fewer, than a block has threads
    std::vector<Picture> host;
    std::int64_t bytes = 5;
    for (const auto& [h, w] : {std::pair{40, 31}, {40, 31}, {9, 200}, {1, 1}}) {
      host.push_back({bytes, h, w, host.size() % 2 == 1});
      bytes += std::int64_t{3} * h * w;
    }
    Random random({.seed = ++seed_});
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(bytes));
    for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(random.below(256));
    const Array<D, Picture> pictures(*ctx_, host);
    const Array<D, std::uint8_t> memory(*ctx_, pixels);
    const auto clips = poisoned<S>(2 * 3 * frames * height * width);
    D::resize_pictures(*ctx_, Vec<const std::uint8_t>(memory.data(), memory.size()),
                       View<const Picture, Dyn>(pictures.data(), pictures.size()), natural_pixels,
                       Clips<S>(clips.data(), 2, 3, frames, height, width));
    keep("resize_pictures", clips);
  }

  void patchify(const Sizes& sizes) {
    const Index side = sizes.aligned ? 8 : 7;
    const Tubelet box{.frames = 2, .height = side, .width = side};
    const Index batch = 2;
    const Index kept = 9;
    const auto clips = random<S>(batch * 3 * 4 * (2 * side) * (3 * side));
    const auto idx = indices(batch * kept, 12);
    const auto patches = poisoned<S>(batch * kept * 3 * 2 * side * side);
    D::patchify(*ctx_, Clips<const S>(clips.data(), batch, 3, 4, 2 * side, 3 * side), box,
                TokenIndices(idx.data(), batch, kept), matrix(patches, batch * kept));
    keep("patchify", patches);
  }

  void losses(const Sizes& sizes) {
    const Index batch = 3;
    const Index tokens = 31;
    const Index n = sizes.aligned ? 40 : 37;
    const auto z = random<S>(batch * tokens * n);
    const auto h = random<S>(batch * tokens * n);
    const auto loss = random<T>(1);
    const auto dz = poisoned<S>(batch * tokens * n);
    for (const double p : {1.0, 2.0, 1.5}) {
      D::power_loss(*ctx_, sequence(z, batch, tokens), sequence(h, batch, tokens), p, 0.125, loss.view(),
                    sequence(dz, batch, tokens));
      keep(text("power_loss ", p), loss);
      keep(text("power_loss dz ", p), dz);
    }
    const auto std = random<T>(batch * n, 2);
    const auto dstd = poisoned<T>(batch * n);
    D::hinge(*ctx_, matrix(std, batch), 0.25, loss.view(), matrix(dstd, batch));
    keep("hinge", loss);
    keep("hinge dstd", dstd);
  }

  void deviations(const Sizes& sizes) {
    const Index batch = 3;
    const Index tokens = 157;  // more than the warps of a block read at once
    const Index n = sizes.aligned ? 328 : 37;
    const auto z = random<S>(batch * tokens * n);
    const auto std = random<T>(batch * n);
    D::token_std(*ctx_, sequence(z, batch, tokens), 1e-4, 0.5, matrix(std, batch));
    keep("token_std", std);
    const auto dstd = random<T>(batch * n);
    const auto dz = random<S>(batch * tokens * n);
    D::token_std_backward(*ctx_, sequence(z, batch, tokens), 1e-4, matrix(dstd, batch), 0.5,
                          sequence(dz, batch, tokens));
    keep("token_std_backward", dz);
  }

  void cross_entropy(const Sizes& sizes) {
    const Index rows = 19;
    const Index classes = sizes.aligned ? 64 : 45;
    const auto logits = random<S>(rows * classes, 3);
    const auto labels = indices(rows, classes);
    const auto loss = random<T>(1);
    const auto dlogits = poisoned<S>(rows * classes);
    D::cross_entropy(*ctx_, matrix(logits, rows), labels.view(), 0.5, loss.view(), matrix(dlogits, rows));
    keep("cross_entropy", loss);
    keep("cross_entropy dlogits", dlogits);
  }

  void update(const Sizes& sizes) {
    const Index n = sizes.aligned ? 4096 : 4099;
    const auto g = random<T>(n);
    const auto w = random<T>(n);
    const auto m = random<T>(n);
    const Array<D, T> v(*ctx_, n);
    const auto norm = poisoned<T>(1);
    D::norm(*ctx_, g.view(), norm.view());
    keep("norm", norm);
    const auto target = random<T>(n);
    const auto copies = poisoned<S>(2 * n);
    const auto copy = [&](Index which) { return std::is_same_v<S, T> ? Vec<S>() : copies.view().slice(which * n, n); };
    AdamWStep step{.lr = 0.01, .weight_decay = 0.1, .step = 3};
    D::adamw(*ctx_, step, {}, g.view(), {w.view()}, m.view(), v.view(), {});
    keep("adamw", w);
    for (const double most : {2.0, 1000.0}) {
      ++step.step;
      D::adamw(*ctx_, step, {Vec<const T>(norm.view()), most}, g.view(), {w.view(), copy(0)}, m.view(), v.view(),
               {{target.view(), copy(1)}, 0.75});
      keep("clipped adamw", w);
      keep("adamw m", m);
      keep("adamw v", v);
      keep("average", target);
      if constexpr (std::is_same_v<S, T>) {
        keep("copies", w);
        keep("copies", target);
      } else {
        keep("copies", copies);
      }
    }
    const auto narrow = poisoned<S>(n);
    D::convert(*ctx_, g.view(), narrow.view());
    keep("convert", narrow);

    const Index fours = 4100;  // whole packs of float, but not of bf16
    const auto g4 = random<T>(fours);
    const auto w4 = random<T>(fours);
    const auto m4 = random<T>(fours);
    const Array<D, T> v4(*ctx_, fours);
    D::adamw(*ctx_, step, {}, g4.view(), {w4.view()}, m4.view(), v4.view(), {});
    keep("adamw without a copy", w4);
  }

  /// A sum that grows by one call's share each time that work runs: four times on one memory, then on another, and in
  /// between work that fails. `calls` counts how often the device was told what to do.
  void repeats(const Sizes&) {
    const auto source = random<S>(8 * 40);
    const auto first = random<T>(40);
    const auto second = random<T>(40);
    double calls = 0;
    Workspace<D> workspace;
    const auto add_to = [&](const Array<D, T>& sums, bool fails = false) {
      workspace.run(*ctx_, [&]<class E>(Context<E>& ctx, Arena<E>& arena) {
        const auto copied = arena.template take<S, Dyn, Dyn, Dyn>(Index{2}, Index{4}, Index{40});
        E::copy_tokens(ctx, sequence(source, 2, 4), copied);
        E::sum_tokens(ctx, copied, sums.view());
        if constexpr (std::is_same_v<E, D>) {
          if (fails) fail("work that fails");
          ++calls;
        }
      });
    };
    add_to(first);
    D::copy(*ctx_, second.data(), first.data(), 40 * sizeof(T));
    try {
      add_to(first, true);
    } catch (const Error& e) {
      outcome_[e.what()];
    }
    D::copy(*ctx_, second.data(), first.data(), 40 * sizeof(T));  // whatever the work did before it failed
    for (int i = 0; i < 4; ++i) add_to(first);
    keep("first", first);
    for (int i = 0; i < 3; ++i) add_to(second);
    keep("second", second);
    outcome_["calls"] = {calls};
  }

  /// Pretraining a small model, with both terms of the loss.
  void training(const Sizes& sizes) {
    using Encoder = ViT<VitDims{.dim = 48, .depth = 2, .heads = 2, .hidden = 96, .patch = 8, .tubelet = 2}>;
    using Guess = Predictor<PredictorDims{.encoder_dim = 48, .dim = 32, .heads = 2, .hidden = 64}>;
    PretrainConfig config;
    config.data.batch_size = 2;
    config.data.num_frames = 4;
    config.data.crop_size = 32;
    config.mask = {Multiblock3d{.num_blocks = 2, .spatial_scale = {0.3, 0.3}},
                   Multiblock3d{.num_blocks = 1, .spatial_scale = {0.5, 0.5}}};
    if (sizes.one_shape) config.mask = {RandomTube{.ratio = 0.5}};
    config.model.pred_depth = 2;
    config.loss.reg_coeff = 0.1;
    config.optimization.epochs = sizes.steps;
    config.optimization.lr = config.optimization.start_lr = 1e-3;
    config.optimization.clip_grad = 1;
    Pretrainer<D, Encoder, Guess> trainer(*ctx_, config, 1);
    Random random({.seed = 1});
    std::vector<float> clips(2 * 3 * 4 * 32 * 32);
    for (float& pixel : clips) pixel = static_cast<float>(bf16(static_cast<float>(random.normal())));
    std::vector<CutClip> cut(2, {.frames = Frames(4, 40, 30), .mirrored = true});
    for (CutClip& clip : cut) {
      for (std::uint8_t& pixel : clip.frames.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
    }
    for (int i = 0; i < sizes.steps; ++i) {
      if (i % 2 == 0) {
        trainer.stage(clips);
      } else {
        trainer.stage(cut);
      }
      const StepReport report = trainer.step_staged([] {});
      outcome_["loss"].push_back(report.loss);
      outcome_["norms"].push_back(report.encoder_norm);
      outcome_["norms"].push_back(report.predictor_norm);
    }
  }

  Context<D>* ctx_;
  Outcome outcome_;
  std::uint64_t seed_ = 0;
  bool all_bits_ = false;
};

/// The results of a case on Cpu<double>.
Outcome on_reference(const std::string& name, const Sizes& sizes);

/// On Cuda<float> or Cuda<bf16>, by a GPU or by the emulator.
Outcome on_cuda(const std::string& name, const Sizes& sizes, Precision precision);

/// The case "attention" in bfloat16 with the attention that the programs have; on the emulator the library's own.
Outcome attention_of_programs(const Sizes& sizes);

/// The Error that a context for this device throws; empty when there is the device.
std::string refusal(int device);

/// Whether kernels run on the host; then, whether the last thread of a block runs first.
bool emulated();
void reverse_threads(bool reversed);

/// Gives the emulated GPU so much shared memory for a block; 0: as much as an H100 has.
void limit_shared_memory(std::size_t bytes);

/// Gives the emulated GPU so much memory; 0: without end.
void limit_memory(std::size_t bytes);

}  // namespace vjepa::test
