#include "vjepa/train/jepa_pass.hpp"

#include <cstdint>
#include <vector>

#include "../nn/module_check.hpp"
#include "vjepa/core/estimate.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using Encoder = ViT<VitDims{.dim = 8, .depth = 2, .heads = 2, .hidden = 12, .patch = 4, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = 8, .dim = 6, .heads = 2, .hidden = 10}>;
constexpr ClipSize size{.frames = 4, .height = 8, .width = 8};
constexpr Index batch = 2;
constexpr Index tokens = 8;

/// Random networks and one batch of two mask groups.
struct Setup {
  Proof::Context ctx{2};
  Weights<Proof, Encoder> encoder{ctx, Encoder{}};
  Weights<Proof, Encoder> target{ctx, Encoder{}};
  Weights<Proof, Guess> predictor{ctx, Guess{.depth = 2, .mask_tokens = 2}};
  Array<Proof, double> encoder_gradient{ctx, encoder.layout().size()};
  Array<Proof, double> predictor_gradient{ctx, predictor.layout().size()};
  std::vector<double> pixels = std::vector<double>(batch * 3 * 4 * 8 * 8);
  std::vector<std::int32_t> all{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<std::int32_t> context0{0, 3, 5, 1, 2, 6};
  std::vector<std::int32_t> target0{1, 2, 4, 7, 0, 3, 4, 5};
  std::vector<std::int32_t> context1{2, 7};
  std::vector<std::int32_t> target1{0, 1, 3, 4, 5, 0, 2, 3, 5, 6};
  std::vector<double> encoder_positions;
  std::vector<double> predictor_positions;
  double terms[2] = {0, 0};

  Setup() {
    Random random({.seed = 31});
    const auto fill = [&](auto& weights) {
      for (Index i = 0; i < weights.master().size(); ++i) weights.master().data()[i] = 0.4 * random.normal();
    };
    fill(encoder);
    fill(target);
    fill(predictor);
    for (double& p : pixels) p = random.normal();
    const auto first = Encoder::positions(size, true);
    const auto second = Guess::positions(Encoder::grid(size), true, true);
    encoder_positions.assign(first.begin(), first.end());
    predictor_positions.assign(second.begin(), second.end());
  }

  /// Predictors see as few samples at once as have so many tokens.
  template <class D, Index PredictorRows = 8192>
  void run(Context<D>& context, Arena<D>& arena, double exponent, double coefficient, Index recomputed_blocks = 0) {
    const std::vector<MaskGroup> groups{
        {TokenIndices(context0.data(), batch, 3), TokenIndices(target0.data(), batch, 4)},
        {TokenIndices(context1.data(), batch, 1), TokenIndices(target1.data(), batch, 5)}};
    JepaPass<D, Encoder, Guess, PredictorRows>::run(
        context, arena,
        {encoder.params(), target.params(), predictor.params(), Mat<const double>(encoder_positions.data(), tokens, 8),
         Mat<const double>(predictor_positions.data(), tokens, 6), recomputed_blocks},
        {Clips<const double>(pixels.data(), batch, 3, 4, 8, 8), TokenIndices(all.data(), batch, tokens), groups},
        {exponent, coefficient}, {Vec<double>(&terms[0], 1), Vec<double>(&terms[1], 1)},
        {encoder.layout().bind<double>(Encoder{}, encoder_gradient.data()),
         predictor.layout().bind<double>(predictor.module(), predictor_gradient.data())});
  }
};

}  // namespace

TEST_CASE("the whole step: the gradient of every parameter is that of finite differences") {
  for (const double exponent : {1.0, 2.0}) {
    for (const double coefficient : {0.0, 0.4}) {
      INFO("exponent " << exponent << ", coefficient " << coefficient);
      Setup s;
      Arena<Proof> arena(s.ctx, std::size_t{16} << 20);
      const auto loss = [&] {
        s.run<Proof>(s.ctx, arena, exponent, coefficient);
        return s.terms[0] + coefficient * s.terms[1];
      };
      static_cast<void>(loss());
      const std::vector<double> encoder = s.encoder_gradient.download(s.ctx);
      const std::vector<double> predictor = s.predictor_gradient.download(s.ctx);
      GradientReport report;
      const auto check = [&](auto& weights, const std::vector<double>& gradient) {
        for (const ParamInfo& p : weights.layout().params()) {
          check_gradient(weights.master().slice(p.offset, p.size),
                         Vec<const double>(gradient.data() + p.offset, p.size), loss, p.name, {.most = 6}, report);
        }
      };
      check(s.encoder, encoder);
      check(s.predictor, predictor);
      require_small(report);
    }
  }
}

TEST_CASE("the dry run measures exactly the memory of the step, and uncoupled groups need less") {
  std::size_t peaks[2] = {0, 0};
  for (const bool coupled : {false, true}) {
    Setup s;
    Estimate<Proof>::Context dry;
    Arena<Estimate<Proof>> dry_arena(dry, Estimate<Proof>::unlimited);
    s.run<Estimate<Proof>>(dry, dry_arena, 1, coupled ? 0.1 : 0);
    CHECK(dry.product_flops > 0);
    CHECK(dry.attention_flops > 0);
    Arena<Proof> arena(s.ctx, dry_arena.peak());
    s.run<Proof>(s.ctx, arena, 1, coupled ? 0.1 : 0);
    CHECK(arena.peak() == dry_arena.peak());
    CHECK(arena.used() == 0);
    peaks[coupled ? 1 : 0] = arena.peak();
  }
  CHECK(peaks[0] < peaks[1]);
}

TEST_CASE("a predictor on one sample after the other gives the same loss and gradients from less memory") {
  Setup together;
  Arena<Proof> large(together.ctx, std::size_t{16} << 20);
  together.run<Proof>(together.ctx, large, 1, 0);
  Setup apart;
  Arena<Proof> small(apart.ctx, std::size_t{16} << 20);
  apart.run<Proof, 1>(apart.ctx, small, 1, 0);
  CHECK(small.peak() < large.peak());
  CHECK(apart.terms[0] == Approx(together.terms[0]).epsilon(1e-13));
  CHECK(apart.terms[1] == Approx(together.terms[1]).epsilon(1e-13));
  const auto close = [&](const Array<Proof, double>& got, const Array<Proof, double>& expected) {
    const std::vector<double> a = got.download(apart.ctx);
    const std::vector<double> b = expected.download(together.ctx);
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(b[i]).epsilon(1e-10).margin(1e-14));
  };
  close(apart.encoder_gradient, together.encoder_gradient);
  close(apart.predictor_gradient, together.predictor_gradient);
}

TEST_CASE("activations that are computed again give the same gradients from less memory") {
  for (const double coefficient : {0.0, 0.4}) {
    std::size_t used = std::size_t{1} << 60;
    std::vector<double> expected;
    for (const Index blocks : {0, 1, 2}) {
      INFO(blocks << " blocks, coefficient " << coefficient);
      Setup s;
      Arena<Proof> arena(s.ctx, std::size_t{16} << 20);
      s.run<Proof>(s.ctx, arena, 1, coefficient, blocks);
      std::vector<double> got = s.encoder_gradient.download(s.ctx);
      const std::vector<double> rest = s.predictor_gradient.download(s.ctx);
      got.insert(got.end(), rest.begin(), rest.end());
      if (blocks == 0) expected = got;
      CHECK(got == expected);
      CHECK(arena.peak() < used);
      used = arena.peak();
    }
  }
}
