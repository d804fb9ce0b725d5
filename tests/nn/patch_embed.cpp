#include "vjepa/nn/patch_embed.hpp"

#include <cstdint>
#include <vector>

#include "module_check.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

std::vector<double> random_pixels(Index n) {
  Random random({.seed = 9});
  std::vector<double> pixels(static_cast<std::size_t>(n));
  for (double& p : pixels) p = random.normal();
  return pixels;
}

template <class Module>
void require_gradient(Clips<const double> clips, TokenIndices idx, Index dim) {
  Room room;
  require_small(check_module(
      Module{}, 1, idx.size() * dim,
      [&](const auto& p, auto, auto y) {
        Module::template forward<Proof>(room.ctx, room.arena, p, clips, idx, rows<8>(y));
      },
      [&](const auto&, auto, auto dy, auto, const auto& g) {
        Module::template backward<Proof>(room.ctx, room.arena, clips, idx, rows<8>(dy), g);
      },
      false));
}

}  // namespace

TEST_CASE("PatchEmbed3D: the gradient is that of finite differences") {
  const auto pixels = random_pixels(2 * 3 * 4 * 6 * 9);
  const std::vector<std::int32_t> idx{0, 3, 11, 1, 2, 7};
  require_gradient<PatchEmbed3D<8, 3, 3, 2>>(Clips<const double>(pixels.data(), 2, 3, 4, 6, 9),
                                             TokenIndices(idx.data(), 2, 3), 8);
}

TEST_CASE("PatchEmbed2D: the gradient is that of finite differences") {
  const auto pixels = random_pixels(2 * 3 * 4 * 6);
  const std::vector<std::int32_t> idx{0, 5, 3, 2};
  require_gradient<PatchEmbed2D<8, 3, 2>>(Clips<const double>(pixels.data(), 2, 3, 1, 4, 6),
                                          TokenIndices(idx.data(), 2, 2), 8);
}

TEST_CASE("PatchEmbed: a token is the convolution at its box") {
  using Module = PatchEmbed3D<8, 3, 3, 2>;
  Room room;
  const auto pixels = random_pixels(3 * 4 * 6 * 9);
  const ParamLayout layout{Module{}};
  std::vector<double> weights(static_cast<std::size_t>(layout.size()));
  Random random({.seed = 10});
  for (double& w : weights) w = random.normal();
  const auto p = layout.bind<const double>(Module{}, weights.data());
  const std::int32_t token = 9;  // time 1, row 1, column 0 of a grid of 2 x 2 x 3
  std::vector<double> y(8);
  Module::forward<Proof>(room.ctx, room.arena, p, Clips<const double>(pixels.data(), 1, 3, 4, 6, 9),
                         TokenIndices(&token, 1, 1), Out<Proof, 8>(y.data(), 1));
  for (Index o = 0; o < 8; ++o) {
    double sum = p.bias(o);
    for (Index c = 0; c < 3; ++c) {
      for (Index t = 0; t < 2; ++t) {
        for (Index i = 0; i < 3; ++i) {
          for (Index j = 0; j < 3; ++j) {
            sum += p.weight(o, c, t, i, j) *
                   static_cast<double>(pixels[static_cast<std::size_t>(((c * 4 + 2 + t) * 6 + 3 + i) * 9 + j)]);
          }
        }
      }
    }
    CHECK(y[static_cast<std::size_t>(o)] == Approx(sum).epsilon(1e-12));
  }
}
