// A project of its own that knows the installed core alone: Eigen, and nothing of FFmpeg, Boost, yaml-cpp or JSON.
#include <vjepa/vjepa.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

vjepa::Index parameters_of_the_other_unit();

using namespace vjepa;
using Device_ = Cpu<float>;
using Model = ViT<VitDims{.dim = 16, .depth = 2, .heads = 2, .patch = 8, .tubelet = 2}>;

int main() {
  Device_::Context ctx;
  Weights<Device_, Model> weights(ctx, Model{});
  weights.init(ctx, 1, 0);
  const ClipSize size{.frames = 4, .height = 16, .width = 16};
  const std::vector<float> pixels(3 * 4 * 16 * 16, 0.5f);
  const std::vector<std::int32_t> tokens{0, 1, 2, 3, 4, 5, 6, 7};
  const auto positions = Model::positions(size, true);
  Arena<Device_> arena(ctx, 1 << 20);
  std::vector<float> features(8 * 16);
  Model::infer<Device_>(ctx, arena, weights.params(),
                        {Clips<const float>(pixels.data(), 1, 3, 4, 16, 16), TokenIndices(tokens.data(), 1, 8),
                         View<const float, Dyn, 16>(positions.data(), 8)},
                        Out<Device_, 16>(features.data(), 8));
  std::printf("vjepa %d.%d: %td parameters, first feature %f\n", VJEPA_VERSION_MAJOR, VJEPA_VERSION_MINOR,
              Model::param_count, features[0]);
  return std::isfinite(features[0]) && parameters_of_the_other_unit() == Model::param_count ? 0 : 1;
}
