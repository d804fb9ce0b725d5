#include <cstddef>
#include <vector>

#include "program_gemm.hpp"
#include "reference.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/infer/pooling.hpp"
#include "vjepa/infer/probe_logits.hpp"
#include "vjepa/infer/probe_pooling.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/models.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using D = Cpu<float, ProgramGemm>;
using Extractor = FeatureExtractor<D, ViTTiny<>>;

FeatureOptions square(Index size) {
  return {.clip = {.frames = 16, .height = size, .width = size}};
}

}  // namespace

TEST_CASE("an extractor gives the official features of official weights") {
  const auto path = VJEPA_GOLDEN("vit_tiny");
  const Checkpoint weights(path / "weights.safetensors");
  const Checkpoint io(path / "io.safetensors");
  D::Context ctx(2);
  const auto clips = io.at("clips").as<float>();
  const auto expected = io.at("out").as<float>();
  const Index batch = io.at("clips").shape[0];

  Extractor last(ctx, weights, square(64));
  const auto features = last(clips);
  REQUIRE(features.size() == 1);
  CHECK(relative_error(all_tokens<D>(ctx, features[0]), expected) < 1e-5);

  const Index tokens = last.grid().size();
  std::vector<float> means(static_cast<std::size_t>(batch * 192));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t b = i / static_cast<std::size_t>(tokens * 192);
    means[b * 192 + i % 192] += expected[i] / static_cast<float>(tokens);
  }
  CHECK(relative_error(mean_tokens<D>(ctx, features[0]), means) < 1e-5);

  FeatureOptions two = square(64);
  two.layers = {3, 11};
  Extractor layers(ctx, weights, two);
  const auto both = layers(clips);
  REQUIRE(both.size() == 2);
  CHECK(all_tokens<D>(ctx, both[1]) == all_tokens<D>(ctx, last(clips)[0]));
  CHECK(relative_error(all_tokens<D>(ctx, both[0]), expected) > 0.1);

  const std::size_t one = clips.size() / static_cast<std::size_t>(batch);
  const auto alone = all_tokens<D>(ctx, last(std::span(clips).last(one))[0]);
  CHECK(relative_error(alone, std::vector<float>(expected.end() - static_cast<std::ptrdiff_t>(alone.size()),
                                                 expected.end())) < 1e-5);
}

TEST_CASE("positions for clips of another size are interpolated, or computed, as the official code does") {
  const auto path = VJEPA_GOLDEN("vit_tiny");
  const Checkpoint weights(path / "weights.safetensors");
  const Checkpoint larger(path / "io_interpolated.safetensors");
  D::Context ctx(2);
  const auto clips = larger.at("clips").as<float>();
  const auto expected = larger.at("out").as<float>();
  const auto& shape = larger.at("clips").shape;
  FeatureOptions options{.clip = {.frames = shape[2], .height = shape[3], .width = shape[4]}};
  options.made_for = recognise_encoder(weights).value().clip;
  CHECK(options.made_for == ClipSize{.frames = 16, .height = 64, .width = 64});
  Extractor interpolated(ctx, weights, options);
  CHECK(relative_error(all_tokens<D>(ctx, interpolated(clips)[0]), expected) < 1e-5);

  options.made_for = options.clip;
  CHECK(encoder_positions<ViTTiny<>>(weights, recognise_encoder(weights).value(), options.clip, options.clip, true) ==
        ViTTiny<>::positions(options.clip, true));
  Extractor computed(ctx, weights, options);
  CHECK(relative_error(all_tokens<D>(ctx, computed(clips)[0]), expected) > 1e-4);
}

TEST_CASE("a trained probe pools tokens and tells their logits as the official one does") {
  const auto path = VJEPA_GOLDEN("probe");
  using Encoder = ViT<VitDims{.dim = 32, .depth = 1, .heads = 2}>;
  for (const char* name : {"attentive_depth1.safetensors", "attentive_depth2.safetensors"}) {
    const Checkpoint golden(path / name);
    StateDict renamed;
    for (StoredTensor tensor : golden.tensors()) {
      if (!tensor.name.starts_with("weights.")) continue;
      tensor.name.replace(0, 8, "classifier.module.");
      renamed.refer(tensor);
    }
    const TemporaryFolder folder;
    write_safetensors(folder.path() / "probe.safetensors", renamed.tensors());

    D::Context ctx(2);
    const Checkpoint probe(folder.path() / "probe.safetensors");
    using Models = ModelList<NamedModel<"small", Encoder>>;
    const auto pooling = make_probe_pooling<D, Models>(ctx, probe, "small", 16, 2);
    const StoredTensor& stored = golden.at("tokens");
    const Array<D, float> tokens(ctx, stored.as<float>());
    const Seq<const float> x(tokens.data(), stored.shape[0], stored.shape[1], 32);
    const auto pooled = (*pooling)(x);

    const auto weight = golden.at("weights.linear.weight").as<float>();
    std::vector<float> logits;
    for (std::size_t b = 0; b < pooled.size() / 32; ++b) {
      for (std::size_t c = 0; c < weight.size() / 32; ++c) {
        float sum = golden.at("weights.linear.bias").as<float>()[c];
        for (std::size_t d = 0; d < 32; ++d) sum += pooled[b * 32 + d] * weight[c * 32 + d];
        logits.push_back(sum);
      }
    }
    CHECK(relative_error(logits, golden.at("logits").as<float>()) < 1e-5);
    const auto whole = make_probe_logits<D, Models>(ctx, probe, recognise_probe(probe).value().blocks + 1,
                                                    golden.at("logits").shape[1], "small", 16, 2);
    CHECK(relative_error((*whole)(x), golden.at("logits").as<float>()) < 1e-5);
    CHECK_THROWS_WITH((ProbeLogits<D, Encoder>(ctx, probe, 3, golden.at("logits").shape[1])), Contains("missing"));

    using Wider = ViT<VitDims{.dim = 64, .depth = 1, .heads = 2}>;
    using WiderPooling = ProbePooling<D, Wider>;
    CHECK_THROWS_WITH(WiderPooling(ctx, probe), Contains("features of width 32"));
  }
}

TEST_CASE("a checkpoint of another model is refused with what does not fit, unless a part will do") {
  const auto path = VJEPA_GOLDEN("vit_tiny");
  const Checkpoint weights(path / "weights.safetensors");
  D::Context ctx(2);
  using Small = FeatureExtractor<D, ViTSmall<>>;
  CHECK_THROWS_WITH(Small(ctx, weights, square(64)),
                    Contains("other shape: blocks.0.norm1.weight is [192], the model wants [384]"));
  FeatureOptions partial = square(64);
  partial.partial = true;
  CHECK_THROWS_WITH(Small(ctx, weights, partial), Contains("not even a part"));
  using OtherMlp = FeatureExtractor<D, ViT<VitDims{.dim = 192, .depth = 12, .heads = 3, .hidden = 400}>>;
  CHECK(OtherMlp(ctx, weights, partial).diff().other_shape.size() == 3 * 12);
  FeatureOptions layers = square(64);
  layers.layers = {12};
  CHECK_THROWS_WITH(Extractor(ctx, weights, layers), Contains("blocks 0 to 11"));
}
