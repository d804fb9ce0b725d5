#include "vjepa/train/clip_feed.hpp"

#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrainer.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// Uploads beside its work as late as a device may: when they are waited for. That memory is not written while the work
/// before its release goes on, nor after it was given back, is checked.
template <class S>
struct LateCpuOf : Cpu<S> {
  using typename Cpu<S>::Context;

  struct Feed {
    static constexpr bool beside = true;

    explicit Feed(Context&) {}
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;
    ~Feed() { arrive(); }
    void upload(Context&, const void* host, void* device, std::size_t bytes) {
      CHECK(!read);
      const auto* const begin = static_cast<const std::byte*>(host);
      late.push_back({device, {begin, begin + bytes}});
      written.insert(device);
    }
    void await(Context&) {
      arrive();
      read = true;
    }
    void release(Context&) { read = false; }
    void arrive() {
      for (const auto& [to, bytes] : late) {
        std::memcpy(to, bytes.data(), bytes.size());
        written.erase(to);
      }
      late.clear();
    }

    std::vector<std::pair<void*, std::vector<std::byte>>> late;
    bool read = false;
  };

  static void deallocate(Context& ctx, void* data) {
    CHECK_FALSE(written.contains(data));
    Cpu<S>::deallocate(ctx, data);
  }

  static inline std::set<void*> written;  // where uploads have still to write
};
using LateCpu = LateCpuOf<float>;
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

/// Another number of samples at each step, of other sizes.
std::vector<CutClip> cut_clips(std::int64_t step) {
  Random random({.seed = 6, .sample = static_cast<std::uint64_t>(step)});
  std::vector<CutClip> clips(static_cast<std::size_t>(1 + step % 3));
  for (CutClip& clip : clips) {
    clip.frames = Frames(4, 16 + random.below(10), 16 + random.below(10));
    for (std::uint8_t& p : clip.frames.pixels) p = static_cast<std::uint8_t>(random.below(256));
    clip.mirrored = random.chance(0.5);
  }
  return clips;
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
  CHECK_THROWS_WITH(feed.front(), Contains("there are no clips"));
}

TEST_CASE("a feed of a bfloat16 device holds every pixel as bfloat16") {
  Cpu<bf16>::Context ctx(1);
  ClipFeed<LateCpuOf<bf16>> feed(ctx);
  Random random({.seed = 7});
  std::vector<float> pixels((1 << 19) + 3);  // more than are converted at a time
  for (float& p : pixels) p = static_cast<float>(random.normal());
  feed.push(pixels);
  const Vec<const bf16> got = feed.front();
  REQUIRE(got.size() == static_cast<Index>(pixels.size()));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    wrong += got(static_cast<Index>(i)).bits != bf16(pixels[i]).bits ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a feed destroyed while clips are on their way gives its memory back after they came") {
  LateCpu::Context ctx(1);
  ClipFeed<LateCpu> feed(ctx);
  feed.push(std::vector<float>{1, 2, 3});
  CHECK(LateCpu::written.size() == 1);
}

TEST_CASE("clips cut out are resized, mirrored and normalised as they are asked for") {
  Random random({.seed = 9});
  std::vector<CutClip> clips(2);
  for (Index i = 0; i < 2; ++i) {
    CutClip& clip = clips[static_cast<std::size_t>(i)];
    clip.frames = Frames(3, 20 + 11 * i, 33 - 20 * i);
    for (std::uint8_t& p : clip.frames.pixels) p = static_cast<std::uint8_t>(random.below(256));
    clip.mirrored = i == 1;
  }
  constexpr Index size = 16;
  std::vector<float> expected(2 * 3 * 3 * size * size);
  for (Index i = 0; i < 2; ++i) {
    const auto& [frames, mirrored] = clips[static_cast<std::size_t>(i)];
    for (Index t = 0; t < 3; ++t) {
      crop_resized(frames.frame(t), frames.width, {0, 0, frames.height, frames.width}, size, mirrored,
                   expected.data() + (i * 3 * 3 + t) * size * size, 3 * size * size);
    }
  }
  LateCpu::Context ctx(2);
  ClipFeed<LateCpu> feed(ctx);
  feed.push(std::vector<float>{1, 2});
  feed.push(clips, size);
  clips.clear();
  CHECK(values(feed.front()) == std::vector<float>{1, 2});
  feed.pop();
  for (int again = 0; again < 2; ++again) {
    const std::vector<float> got = values(feed.front());
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).margin(1e-5));
  }
  feed.pop();
  feed.push(std::vector<float>{3});
  CHECK(values(feed.front()) == std::vector<float>{3});
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

TEST_CASE(
    "clips cut out train alike, staged while a step goes on or before it, and looking at targets changes nothing") {
  Cpu<float>::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> plain(ctx, config(), 3);
  Pretrainer<LateCpu, Encoder, Guess> fed(ctx, config(), 3);
  fed.stage(cut_clips(0));
  for (std::int64_t i = 0; i < 5; ++i) {
    plain.stage(cut_clips(i));
    const FeatureSpread expected_spread = plain.target_spread();
    const StepReport expected = plain.step_staged([] {});
    const FeatureSpread spread = fed.target_spread();
    const StepReport got = fed.step_staged([&] { fed.stage(cut_clips(i + 1)); });
    CHECK(got.loss == expected.loss);
    CHECK(spread.deviation == expected_spread.deviation);
  }
  fed.step_staged([] {});
  CHECK_THROWS_WITH(fed.target_spread(), Contains("there are no clips"));
  std::vector<CutClip> short_clips(1);
  short_clips.front().frames = Frames(3, 20, 20);
  CHECK_THROWS_WITH(fed.stage(short_clips), Contains("a clip of 3 frames where 4 are expected"));
}
