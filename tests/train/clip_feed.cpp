#include "vjepa/train/clip_feed.hpp"

#include <cstring>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrainer.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// Uploads beside its work as late as a device may: when they are waited for. That memory is not written while the work
/// before its release goes on, nor after it was given back, is checked.
struct LateCpu : Cpu<float> {
  struct Feed {
    static constexpr bool beside = true;

    explicit Feed(Context&) {}
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;
    ~Feed() { arrive(); }
    void upload(Context&, const void* host, void* device, std::size_t bytes) {
      CHECK(!read);
      pixels.assign(static_cast<const std::byte*>(host), static_cast<const std::byte*>(host) + bytes);
      to = device;
      written = device;
    }
    void await(Context&) {
      arrive();
      read = true;
    }
    void release(Context&) { read = false; }
    void arrive() {
      if (to == nullptr) return;
      std::memcpy(to, pixels.data(), pixels.size());
      to = written = nullptr;
    }

    std::vector<std::byte> pixels;
    void* to = nullptr;
    bool read = false;
  };

  static void deallocate(Context& ctx, void* data) {
    CHECK(data != written);
    Cpu<float>::deallocate(ctx, data);
  }

  static inline void* written = nullptr;  // what the last upload has still to write
};
static_assert(Device<LateCpu>);

using Encoder = ViT<VitDims{.dim = 8, .depth = 1, .heads = 2, .patch = 4, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = 8, .dim = 8, .heads = 2}>;

PretrainConfig config() {
  PretrainConfig c;
  c.data.num_frames = 4;
  c.data.crop_size = 16;
  c.data.patch_size = 4;
  c.mask = {RandomTube{.ratio = 0.7}};
  c.model.pred_depth = 1;
  c.optimization.epochs = 4;
  c.optimization.lr = c.optimization.start_lr = 1e-2;
  return c;
}

/// Of another number of samples at each step.
std::vector<float> clips_of(std::int64_t step) {
  Random random({.seed = 5, .sample = static_cast<std::uint64_t>(step)});
  std::vector<float> pixels(static_cast<std::size_t>(1 + step % 3) * 3 * 4 * 16 * 16);
  for (float& p : pixels) p = static_cast<float>(random.normal());
  return pixels;
}

std::vector<float> values(Vec<const float> v) {
  return {v.data(), v.data() + v.size()};
}

}  // namespace

TEST_CASE("a feed gives what was pushed, in order, and holds two") {
  LateCpu::Context ctx(1);
  ClipFeed<LateCpu> feed(ctx);
  const std::vector<float> one{1, 2, 3};
  const std::vector<float> two{4, 5, 6, 7};
  std::vector<float> three{8};
  feed.push(one);
  CHECK(values(feed.front()) == one);
  feed.push(two);
  CHECK(feed.size() == 2);
  CHECK_THROWS_WITH(feed.push(three), Contains("clips of two steps are there"));
  CHECK(values(feed.front()) == one);
  feed.pop();
  feed.push(three);
  three = {0};
  CHECK(values(feed.front()) == two);
  feed.pop();
  CHECK(values(feed.front()) == std::vector<float>{8});
  feed.pop();
  CHECK(feed.size() == 0);
}

TEST_CASE("a feed destroyed while clips are on their way gives its memory back after they came") {
  LateCpu::Context ctx(1);
  ClipFeed<LateCpu> feed(ctx);
  feed.push(std::vector<float>{1, 2, 3});
  CHECK(LateCpu::written != nullptr);
}

TEST_CASE("clips staged while a step goes on train as clips that are given to it") {
  Cpu<float>::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> plain(ctx, config(), 3);
  Pretrainer<LateCpu, Encoder, Guess> fed(ctx, config(), 3);
  fed.stage(clips_of(0));
  for (std::int64_t i = 0; i < 7; ++i) {
    const StepReport expected = plain.step(clips_of(i));
    const StepReport got = fed.step_staged([&] { fed.stage(clips_of(i + 1)); });
    CHECK(got.loss == expected.loss);
    CHECK(got.kept == expected.kept);
  }
  CHECK(fed.encoder().download(ctx) == plain.encoder().download(ctx));
  CHECK_THROWS_WITH(fed.step(clips_of(7)), Contains("clips are staged"));
}
