// A device with one kernel of one's own: derive from a device and hide one member.
//
//   cmake --build --preset default --target 05_custom_device && build/bin/05_custom_device
//
// Models are written over concepts, not over a device: the same ViT runs on whatever satisfies `Device`. Here attention
// is replaced by the plainest code that computes it, which also counts its calls; everything else is the CPU's. The
// program compares the two devices' features.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/core/workspace.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/mask/masks.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;

struct PlainAttention : Cpu<float> {
  struct Context : Cpu<float>::Context {
    int calls = 0;
  };

  /// out = softmax(q kᵀ / sqrt(head_dim)) v for every clip and head; lse is the log-sum-exp of each row of scores.
  static void attention(Context& ctx, AttentionShape shape, Mat<const float> q, Mat<const float> k, Mat<const float> v,
                        Mat<float> out, Mat<float> lse) {
    ++ctx.calls;
    const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
    std::vector<double> score(static_cast<std::size_t>(shape.keys));
    for (Index task = 0; task < shape.batch * shape.heads; ++task) {
      const Index clip = task / shape.heads;
      const Index column = task % shape.heads * shape.head_dim;
      const auto at = [&](Mat<const float> x, Index row, Index i) { return static_cast<double>(x(row, column + i)); };
      for (Index query = 0; query < shape.queries; ++query) {
        const Index row = clip * shape.queries + query;
        double most = -INFINITY;
        for (Index key = 0; key < shape.keys; ++key) {
          double& s = score[static_cast<std::size_t>(key)] = 0;
          for (Index i = 0; i < shape.head_dim; ++i) s += scale * at(q, row, i) * at(k, clip * shape.keys + key, i);
          most = std::max(most, s);
        }
        double sum = 0;
        for (double& s : score) sum += s = std::exp(s - most);
        for (Index i = 0; i < shape.head_dim; ++i) {
          double mean = 0;
          for (Index key = 0; key < shape.keys; ++key) {
            mean += score[static_cast<std::size_t>(key)] / sum * at(v, clip * shape.keys + key, i);
          }
          out(row, column + i) = static_cast<float>(mean);
        }
        if (!lse.empty()) lse(task, query) = static_cast<float>(most + std::log(sum));
      }
    }
  }
};

static_assert(Device<PlainAttention>);

using Encoder = ViT<VitDims{.dim = 48, .depth = 4, .heads = 3, .patch = 8, .tubelet = 2}>;
constexpr ClipSize clip_size{.frames = 8, .height = 48, .width = 48};
constexpr Index batch_size = 2;

/// Features of two clips of noise, on any device.
template <Device D>
std::vector<float> features(Context<D>& ctx) {
  Weights<D, Encoder> weights(ctx, Encoder{});
  weights.init(ctx, 0, 0);
  std::vector<float> noise(
      static_cast<std::size_t>(batch_size * 3 * clip_size.frames * clip_size.height * clip_size.width));
  Random random({.seed = 1});
  for (float& pixel : noise) pixel = static_cast<float>(random.normal());

  const Index tokens = Encoder::grid(clip_size).size();
  const Array<D, float> pixels(ctx, noise);
  const Array<D, std::int32_t> idx(ctx, every_token(batch_size, tokens));
  const Array<D, float> positions(ctx, Encoder::positions(clip_size, true));
  const Array<D, float> y(ctx, batch_size * tokens * Encoder::dim);
  Workspace<D> workspace;
  workspace.run(ctx, [&]<class E>(Context<E>& on, Arena<E>& arena) {
    Encoder::infer<E>(
        on, arena, weights.params(),
        {Clips<const float>(pixels.data(), batch_size, 3, clip_size.frames, clip_size.height, clip_size.width),
         TokenIndices(idx.data(), batch_size, tokens), View<const float, Dyn, Encoder::dim>(positions.data(), tokens)},
        Out<E, Encoder::dim>(y.data(), batch_size * tokens));
  });
  return y.download(ctx);
}

int main() {
  Cpu<float>::Context usual;
  PlainAttention::Context own;
  const std::vector<float> a = features<Cpu<float>>(usual);
  const std::vector<float> b = features<PlainAttention>(own);
  double difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = std::max<double>(difference, std::abs(a[i] - b[i]));
  std::printf("%zu features, attention called %d times, largest difference %.1e\n", a.size(), own.calls, difference);
  // Normed features are of the order of 1: the two differ by float32's rounding over four layers.
  return own.calls == Encoder::dims.depth && difference < 1e-4 ? 0 : 1;
}
