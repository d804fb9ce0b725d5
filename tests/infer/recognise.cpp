#include "vjepa/infer/recognise.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/infer/encoder_positions.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// A checkpoint of one encoder with zeros for weights, and true positions for a clip.
template <class Encoder>
std::filesystem::path write_encoder(const TemporaryFolder& folder, const std::string& prefix, const ClipSize& clip,
                                    bool uniform) {
  const ParamLayout layout{Encoder{}};
  StateDict state;
  state.add_params(prefix, layout, std::vector<float>(static_cast<std::size_t>(layout.size())));
  const std::vector<float> table = Encoder::positions(clip, uniform);
  state.add(prefix + "pos_embed", {1, Encoder::grid(clip).size(), Encoder::dim}, table);
  const auto path = folder.path() / "model.safetensors";
  write_safetensors(path, state.tensors(), {});
  return path;
}

}  // namespace

TEST_CASE("a model is known by the shapes of its tensors, and its clips by its positions") {
  const TemporaryFolder folder;
  // 8 x 14 x 14 tokens are as many as 2 x 28 x 28 or 32 x 7 x 7.
  const ClipSize clip{.frames = 16, .height = 224, .width = 224};
  for (const bool uniform : {true, false}) {
    for (const std::string prefix : {"target_encoder.", ""}) {
      INFO(prefix << uniform);
      const Checkpoint checkpoint(write_encoder<ViTTiny<>>(folder, prefix, clip, uniform));
      const auto found = recognise_encoder(checkpoint);
      REQUIRE(found);
      CHECK(found->prefix == prefix);
      CHECK(found->model == "vit_tiny");
      CHECK(found->dims == ViTTiny<>::dims);
      CHECK(found->positions == 1568);
      REQUIRE(found->clip);
      CHECK(*found->clip == clip);
      CHECK(found->uniform_power == uniform);
      CHECK(describe(*found) == "vit_tiny, patch 16, tubelet 2");
      CHECK_FALSE(recognise_predictor(checkpoint));
      CHECK_FALSE(recognise_probe(checkpoint));
    }
  }
}

TEST_CASE("another patch is another model, and an unknown size has its shape without a name") {
  const TemporaryFolder folder;
  const ClipSize clip{.frames = 4, .height = 32, .width = 32};
  const auto small = recognise_encoder(Checkpoint(write_encoder<ViTTiny<8>>(folder, "encoder.", clip, true)));
  REQUIRE(small);
  CHECK(small->model == "vit_tiny");
  CHECK(small->dims.patch == 8);
  using Own = ViT<VitDims{.dim = 48, .depth = 3, .heads = 4, .hidden = 60, .patch = 8, .tubelet = 4}>;
  const auto own = recognise_encoder(Checkpoint(write_encoder<Own>(folder, "", clip, true)));
  REQUIRE(own);
  CHECK(own->model.empty());
  CHECK(own->dims.depth == 3);
  CHECK(own->dims.hidden == 60);
  CHECK(own->dims.heads == 0);
  CHECK(own->clip == clip);
}

TEST_CASE("positions of another patch or width are not taken for an encoder's own") {
  const TemporaryFolder folder;
  const ClipSize clip{.frames = 16, .height = 64, .width = 64};
  const Checkpoint checkpoint(write_encoder<ViTTiny<>>(folder, "", clip, false));
  const RecognisedEncoder found = recognise_encoder(checkpoint).value();
  const auto positions = [&]<class Encoder>(Encoder) {
    return encoder_positions<Encoder>(checkpoint, found, clip, clip, true);
  };
  CHECK(positions(ViTTiny<>{}) == ViTTiny<>::positions(clip, false));
  CHECK(positions(ViTTiny<8>{}) == ViTTiny<8>::positions(clip, true));
  CHECK(positions(ViTSmall<>{}) == ViTSmall<>::positions(clip, true));
}

TEST_CASE("positions that are of no clip, and files of something else, are not guessed at") {
  const TemporaryFolder folder;
  StateDict state;
  const ParamLayout layout{ViTTiny<>{}};
  state.add_params("", layout, std::vector<float>(static_cast<std::size_t>(layout.size())));
  state.add("pos_embed", {1, 8, 192}, std::vector<float>(8 * 192, 0.5f));
  const auto path = folder.path() / "odd.safetensors";
  write_safetensors(path, state.tensors(), {});
  const auto found = recognise_encoder(Checkpoint(path));
  REQUIRE(found);
  CHECK(found->positions == 8);
  CHECK_FALSE(found->clip);

  StateDict empty;
  empty.add_params("", layout, std::vector<float>(static_cast<std::size_t>(layout.size())));
  empty.add("pos_embed", {0, 8, 192}, std::vector<float>());
  write_safetensors(path, empty.tensors(), {});
  CHECK(recognise_encoder(Checkpoint(path)).value().positions == 0);

  StateDict other;
  other.add("weight", {2, 2}, std::vector<float>(4));
  write_safetensors(path, other.tensors(), {});
  CHECK_FALSE(recognise_encoder(Checkpoint(path)));
}

TEST_CASE("the official trainer's checkpoint is recognised") {
  const auto folder = VJEPA_GOLDEN("micro");
  const Checkpoint checkpoint(folder / "jepa-latest.pth.tar");
  const auto encoder = recognise_encoder(checkpoint);
  REQUIRE(encoder);
  CHECK(encoder->dims == VitDims{.dim = 32, .depth = 2, .heads = 0, .hidden = 128, .patch = 4, .tubelet = 2});
  CHECK(encoder->clip == ClipSize{.frames = 8, .height = 16, .width = 16});
  CHECK(encoder->uniform_power);
  const auto predictor = recognise_predictor(checkpoint);
  REQUIRE(predictor);
  CHECK(predictor->encoder_dim == 32);
  CHECK(predictor->dim == 24);
  CHECK(predictor->depth == 2);
  CHECK(predictor->mask_tokens == 2);
}
