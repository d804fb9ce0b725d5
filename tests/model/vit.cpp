#include "vjepa/model/vit.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "../nn/module_check.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using Video = ViT<VitDims{.dim = 12, .depth = 2, .heads = 3, .hidden = 20, .patch = 4, .tubelet = 2}>;
using Image = ViT<VitDims{.dim = 12, .depth = 1, .heads = 2, .patch = 4, .tubelet = 0}>;

/// Two random clips and what a transformer reads of them.
template <class Model>
struct Sample {
  ClipSize size;
  std::vector<double> pixels;
  std::vector<std::int32_t> idx;
  std::vector<double> positions;
  Index kept;

  Sample(ClipSize clip, std::vector<std::int32_t> tokens)
      : size(clip), idx(std::move(tokens)), kept(static_cast<Index>(idx.size()) / 2) {
    Random random({.seed = 21});
    pixels.resize(static_cast<std::size_t>(2 * 3 * clip.frames * clip.height * clip.width));
    for (double& p : pixels) p = random.normal();
    const auto table = Model::positions(clip, true);
    positions.assign(table.begin(), table.end());
  }

  typename Model::template Input<Proof> input() const {
    return {Clips<const double>(pixels.data(), 2, 3, size.frames, size.height, size.width),
            TokenIndices(idx.data(), 2, kept),
            View<const double, Dyn, Model::dim>(positions.data(), Model::grid(size).size())};
  }
};

template <class Model>
void require_gradient(const Sample<Model>& sample) {
  Room room;
  const auto input = sample.input();
  require_small(check_module(
      Model{}, 1, 2 * sample.kept * Model::dim,
      [&](const auto& p, auto, auto y) {
        Model::template infer<Proof>(room.ctx, room.arena, p, input, rows<Model::dim>(y));
      },
      [&](const auto& p, auto, auto dy, auto, const auto& g) {
        typename Model::template Saved<Proof> saved;
        const auto y = room.arena.template take<double, Dyn, Model::dim>(2 * sample.kept);
        Model::template forward<Proof>(room.ctx, room.arena, p, input, y, saved);
        Model::template backward<Proof>(room.ctx, room.arena, p, input, saved, rows<Model::dim>(dy), g);
      },
      false));
}

}  // namespace

TEST_CASE("ViT: the gradient is that of finite differences, for video and for images") {
  require_gradient(Sample<Video>({.frames = 4, .height = 8, .width = 12}, {0, 5, 11, 3, 1, 2, 8, 9}));
  require_gradient(Sample<Image>({.frames = 1, .height = 8, .width = 12}, {0, 5, 2, 3, 1, 4}));
}

TEST_CASE("ViT: training and inference give the same features, and out_layers are norms of blocks") {
  const Sample<Video> sample({.frames = 4, .height = 8, .width = 8}, {0, 5, 7, 3, 1, 2});
  Room room;
  Weights<Proof, Video> weights(room.ctx, Video{});
  weights.init(room.ctx, 4, 0);
  std::vector<double> trained(6 * 12);
  std::vector<double> inferred(6 * 12);
  std::vector<double> first(6 * 12);
  Video::Saved<Proof> saved;
  const auto view = [](std::vector<double>& v) { return Out<Proof, 12>(v.data(), 6); };
  Video::forward<Proof>(room.ctx, room.arena, weights.params(), sample.input(), view(trained), saved);
  const std::vector<Index> layers{0, 1};
  const std::vector<Out<Proof, 12>> outs{view(first), view(inferred)};
  Video::infer<Proof>(room.ctx, room.arena, weights.params(), sample.input(), layers, outs);
  CHECK(inferred == trained);
  CHECK(first != trained);

  const std::vector<Index> beyond{2};
  CHECK_THROWS_WITH((Video::infer<Proof>(room.ctx, room.arena, weights.params(), sample.input(), beyond, outs)),
                    Contains("asks for block 2") && Contains("blocks 0 to 1"));
}

TEST_CASE("ViT: a dropped token costs and changes nothing of the order of the others") {
  const Sample<Video> few({.frames = 4, .height = 8, .width = 8}, {1, 6, 1, 6});
  Room room;
  Weights<Proof, Video> weights(room.ctx, Video{});
  weights.init(room.ctx, 4, 0);
  std::vector<double> y(4 * 12);
  Video::infer<Proof>(room.ctx, room.arena, weights.params(), few.input(), Out<Proof, 12>(y.data(), 4));
  const Sample<Video> swapped({.frames = 4, .height = 8, .width = 8}, {6, 1, 6, 1});
  std::vector<double> z(4 * 12);
  Video::infer<Proof>(room.ctx, room.arena, weights.params(), swapped.input(), Out<Proof, 12>(z.data(), 4));
  // Attention does not know the order of its keys: the same two tokens, swapped.
  for (std::size_t i = 0; i < 12; ++i) CHECK(y[i] == Approx(z[12 + i]).epsilon(1e-10));
}

TEST_CASE("ViT: clips that do not divide are refused with what would") {
  CHECK_THROWS_WITH(Video::grid({.frames = 4, .height = 10, .width = 8}),
                    Contains("10x8 pixels") && Contains("multiple of 4"));
  CHECK_THROWS_WITH(Video::grid({.frames = 5, .height = 8, .width = 8}),
                    Contains("5 frames") && Contains("multiple of 2"));
  CHECK(Video::grid({.frames = 4, .height = 8, .width = 12}) == TokenGrid{2, 2, 3});
  using Image = ViT<VitDims{.dim = 12, .depth = 1, .heads = 2, .patch = 4, .tubelet = 0}>;
  CHECK_THROWS_WITH(Image::grid({.frames = 4, .height = 8, .width = 8}), Contains("4 frames is no image"));
  CHECK(Image::grid({.frames = 1, .height = 8, .width = 12}) == TokenGrid{1, 2, 3});
}
