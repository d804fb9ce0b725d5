#include "vjepa/model/weights.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"

using namespace vjepa;

TEST_CASE("initial weights have the deviations of the official trainer, or of its models' constructors") {
  const bool rescaled = GENERATE(false, true);
  const ViT<VitDims{.dim = 96, .depth = 8, .heads = 2}> module;
  const ParamLayout layout(module);
  const auto values = initial_values<float>(layout, 1, 0, {.rescale_blocks = rescaled});
  for (const ParamInfo& p : layout.params()) {
    double sum = 0;
    double squares = 0;
    for (Index i = 0; i < p.size; ++i) {
      const double v = values[static_cast<std::size_t>(p.offset + i)];
      sum += v;
      squares += v * v;
    }
    INFO(p.name);
    const auto n = static_cast<double>(p.size);
    if (p.name.ends_with("bias")) {
      CHECK(squares == 0);
    } else if (p.name.find("norm") != std::string::npos) {
      CHECK(sum == n);
      CHECK(squares == n);
    } else {
      double std = 0.02;
      if (rescaled && (p.name.ends_with("attn.proj.weight") || p.name.ends_with("mlp.fc2.weight"))) {
        std /= std::sqrt(2.0 * (std::stod(p.name.substr(7)) + 1));  // "blocks.3...."
      }
      CHECK(std::abs(sum / n) < 5 * std / std::sqrt(n));
      CHECK(std::sqrt(squares / n) == Approx(std).epsilon(5 / std::sqrt(2 * n)));
    }
  }
}

TEST_CASE("seeds and streams give other weights, the same give the same") {
  const ParamLayout layout(ViT<VitDims{.dim = 8, .depth = 1, .heads = 1, .patch = 4}>{});
  CHECK(initial_values<float>(layout, 1, 0) == initial_values<float>(layout, 1, 0));
  CHECK(initial_values<float>(layout, 1, 0) != initial_values<float>(layout, 2, 0));
  CHECK(initial_values<float>(layout, 1, 0) != initial_values<float>(layout, 1, 1));
}

TEST_CASE("mask tokens start at zero unless told otherwise") {
  using Model = Predictor<PredictorDims{.encoder_dim = 8, .dim = 8, .heads = 1}>;
  for (const bool zero : {true, false}) {
    const ParamLayout layout(Model{.depth = 1, .mask_tokens = 1, .zero_init_mask_tokens = zero});
    const auto values = initial_values<float>(layout, 1, 0);
    for (const ParamInfo& p : layout.params()) {
      if (p.name == "mask_tokens.0") CHECK((values[static_cast<std::size_t>(p.offset)] == 0) == zero);
    }
  }
}

TEST_CASE("bf16 weights are the rounded masters") {
  using D = Cpu<bf16>;
  using Model = ViT<VitDims{.dim = 8, .depth = 1, .heads = 1, .patch = 4}>;
  D::Context ctx(1);
  Weights<D, Model> weights(ctx, Model{});
  weights.init(ctx, 1, 0);
  const float master = weights.master().data()[0];
  CHECK(float(weights.params().patch_embed.weight.data()[0]) == float(bf16(master)));
  weights.master().data()[0] = 0.3f;
  weights.refresh(ctx);
  CHECK(float(weights.params().patch_embed.weight.data()[0]) == float(bf16(0.3f)));
}

TEMPLATE_TEST_CASE("frozen weights are read as trained ones are", "", Cpu<float>, Cpu<bf16>) {
  using D = TestType;
  using Model = ViT<VitDims{.dim = 8, .depth = 1, .heads = 1, .patch = 4}>;
  typename D::Context ctx(1);
  Weights<D, Model> trained(ctx, Model{});
  trained.init(ctx, 1, 0);
  FrozenWeights<D, Model> frozen(ctx, Model{});
  frozen.upload(ctx, trained.download(ctx));
  const Scalar<D>* read = trained.params().patch_embed.weight.data();
  const Scalar<D>* kept = frozen.params().patch_embed.weight.data();
  for (Index i = 0; i < frozen.params().patch_embed.weight.size(); ++i) REQUIRE(float(kept[i]) == float(read[i]));
  CHECK(frozen.download(ctx).size() == static_cast<std::size_t>(frozen.layout().size()));
}
