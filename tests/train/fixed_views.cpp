#include "vjepa/train/fixed_views.hpp"

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/motion_scene.hpp"
#include "vjepa/data/video_writer.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/fixed_pass.hpp"
#include "vjepa/train/frozen_encoder.hpp"
#include "vjepa/train/joined_tokens.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

using Encoder = ViT<VitDims{.dim = 12, .depth = 1, .heads = 2, .patch = 16, .tubelet = 2}>;
using D = Cpu<float>;

/// A video, an encoder of random weights, and features of two segments in two views.
struct Fixture {
  TemporaryFolder folder;
  std::filesystem::path video = folder.path() / "a.mp4";
  D::Context ctx{2};

  Fixture() {
    silence_ffmpeg();
    write_video(video, 0);
    write_encoder(1);
  }

  static void write_video(const std::filesystem::path& path, std::uint64_t sample) {
    const MotionScene scene(static_cast<Motion>(0), Random({.seed = 1, .purpose = Purpose::synth, .sample = sample}));
    VideoWriter writer(path, 48, 48);
    writer.write(scene.render(20, 48));
    writer.finish();
  }
  void write_encoder(std::uint64_t seed) const {
    const ParamLayout layout{Encoder{}};
    StateDict state;
    state.add_params("target_encoder.", layout, initial_values<float>(layout, seed, 0));
    write_safetensors(folder.path() / "encoder.safetensors", state.tensors());
  }
  template <class E = Encoder>
  FrozenEncoder<D> encoder() {
    const Checkpoint file(folder.path() / "encoder.safetensors");
    const FeatureOptions options{.clip = {.frames = 4, .height = 32, .width = 32}};
    return FrozenEncoder<D>(std::make_unique<FeatureExtractor<D, E>>(ctx, file, options));
  }
  static ViewReader views(Index step = 2) {
    return {
        .sampler = {.frames_per_clip = 4, .frame_step = step, .duration = {}, .num_clips = 2, .allow_overlap = true},
        .transform = EvalTransform{.size = 32, .views = 2}};
  }
  /// The features of a file, and whether the encoder had to run.
  struct Result {
    ViewFeatures features;
    bool encoded;
  };
  Result features(const std::filesystem::path& file, const ViewReader& reader = views(), bool keep = true) {
    auto frozen = encoder();
    FixedViews fixed(frozen, reader, {.folder = keep ? folder.path() / "kept" : std::filesystem::path()});
    auto sample = fixed.read(file);
    const bool encoded = !sample.clips.empty();
    fixed.complete(sample);
    return {sample.features, encoded};
  }
};

}  // namespace

TEST_CASE("features are kept, and read back as they were") {
  Fixture f;
  const auto first = f.features(f.video);
  const auto second = f.features(f.video);
  CHECK(first.encoded);
  CHECK_FALSE(second.encoded);
  CHECK(first.features.tokens == second.features.tokens);
  CHECK(first.features.mean == second.features.mean);
  CHECK(first.features.numbers == second.features.numbers);
  REQUIRE(first.features.tokens.size() == sizeof(float) * 4 * 8 * 12);
  const auto unkept = f.features(f.video, Fixture::views(), false);
  CHECK(unkept.encoded);
  CHECK(unkept.features.tokens == first.features.tokens);
  double mean = 0;
  std::vector<float> tokens(4 * 8 * 12);
  std::memcpy(tokens.data(), first.features.tokens.data(), first.features.tokens.size());
  for (std::size_t i = 0; i < tokens.size(); i += 12) mean += tokens[i] / 32.0;
  CHECK(first.features.mean[0] == Approx(mean).margin(1e-5));
}

TEST_CASE("features of another file, another encoder or other views are not taken for these") {
  Fixture f;
  const auto first = f.features(f.video);
  const auto copy = f.folder.path() / "copy.mp4";
  std::filesystem::copy(f.video, copy);
  CHECK_FALSE(f.features(copy).encoded);  // the same bytes, wherever they lie
  CHECK(f.features(f.video, Fixture::views(1)).encoded);
  ViewReader apart = Fixture::views();
  apart.sampler.allow_overlap = false;
  CHECK(f.features(f.video, apart).encoded);

  const auto time = std::filesystem::last_write_time(f.video);
  Fixture::write_video(f.video, 7);
  std::filesystem::last_write_time(f.video, time);  // as a tool that keeps times would leave it
  const auto changed = f.features(f.video);
  CHECK(changed.encoded);
  CHECK(changed.features.tokens != first.features.tokens);

  f.write_encoder(2);
  CHECK(f.features(copy).encoded);
}

TEST_CASE("features of bfloat16 are kept in half of the bytes, and not taken for others") {
  Fixture f;
  f.features(f.video);
  using Narrow = Cpu<bf16>;
  const Checkpoint file(f.folder.path() / "encoder.safetensors");
  const FeatureOptions options{.clip = {.frames = 4, .height = 32, .width = 32}};
  FrozenEncoder<Narrow> frozen(std::make_unique<FeatureExtractor<Narrow, Encoder>>(f.ctx, file, options));
  FixedViews fixed(frozen, Fixture::views(), {.folder = f.folder.path() / "kept"});
  FixedViews::Sample first = fixed.read(f.video);
  CHECK_FALSE(first.clips.empty());
  fixed.complete(first);
  CHECK(first.features.tokens.size() == sizeof(bf16) * 4 * 8 * 12);
  const FixedViews::Sample second = fixed.read(f.video);
  CHECK(second.clips.empty());
  CHECK(second.features.tokens == first.features.tokens);
  CHECK(second.features.mean == first.features.mean);
}

TEST_CASE("a mean that is kept without its tokens is written once") {
  Fixture f;
  const auto kept = f.folder.path() / "kept";
  const auto file = [&] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kept)) {
      if (entry.is_regular_file()) return entry.path();
    }
    return std::filesystem::path();
  };
  auto frozen = f.encoder();
  FixedViews fixed(frozen, Fixture::views(), {.keeps_tokens = false, .folder = kept});
  auto first = fixed.read(f.video);
  fixed.complete(first);
  std::filesystem::create_hard_link(file(), f.folder.path() / "first");
  auto second = fixed.read(f.video);
  CHECK_FALSE(second.clips.empty());
  fixed.complete(second);
  CHECK(second.features.tokens == first.features.tokens);
  CHECK(std::filesystem::equivalent(file(), f.folder.path() / "first"));
}

TEST_CASE("kept features that are damaged are made anew") {
  Fixture f;
  const auto first = f.features(f.video);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(f.folder.path() / "kept")) {
    if (entry.is_regular_file()) write_bytes(entry.path(), "short");
  }
  const auto second = f.features(f.video);
  CHECK(second.encoded);
  CHECK(second.features.tokens == first.features.tokens);
  CHECK_FALSE(f.features(f.video).encoded);
}

TEST_CASE("a pass gives the files in order and reads no further ahead than the next few, on any number of threads") {
  for (const int threads : {1, 2}) {
    Fixture f;
    const auto videos = f.folder.path() / "videos";
    std::filesystem::create_directory(videos);
    const auto video = [&](Index i) { return videos / text(static_cast<char>('a' + i), ".mp4"); };
    for (Index i = 0; i < 24; ++i) std::filesystem::copy(f.video, video(i));
    VideoList list;
    list.add(videos);
    auto frozen = f.encoder();
    FixedViews fixed(frozen, Fixture::views(), {.folder = {}});
    // Two threads hold ten files at most: the one in use, seven that were read and two that are.
    std::vector<Index> used;
    int skipped = 0;
    const auto use = [&](Index i, const ViewFeatures& features) {
      CHECK(features.mean.size() == 12);
      used.push_back(i);
      for (Index later = 10; i == 0 && later < 24; ++later) std::filesystem::remove(video(later));
    };
    CHECK(each_fixed(
        fixed, list, threads, "pass", [] { return false; }, use, [&](const std::string&) { ++skipped; }));
    CHECK(used == std::vector<Index>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(skipped == 14);
  }
}

TEST_CASE("an encoder of another size is refused with what does not fit") {
  Fixture f;
  using Wider = ViT<VitDims{.dim = 24, .depth = 1, .heads = 2, .patch = 16, .tubelet = 2}>;
  CHECK_THROWS_WITH(f.encoder<Wider>(), Contains("encoder.safetensors: does not hold this model") &&
                                            Contains("target_encoder.norm.weight is [12], the model wants [24]"));
}

TEST_CASE("clips are joined segment after segment within each view, with positions over their frames") {
  D::Context ctx(2);
  // Two segments in two views, clips of two tokens in time and one in space.
  JoinedTokens joined{.grid = {2, 1, 1}, .segments = 2, .views = 2, .tubelet = 2, .attend = true};
  std::vector<float> tokens(4 * 2 * 4);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<float>(i / 4);
  const std::vector<Index> numbers{0, 1, 2, 3, 10, 11, 12, 13};
  std::vector<float> out(tokens.size());
  const auto join = [&] {
    const Sequences s = joined.sequences();
    joined.operator()<D>(ctx, Seq<const float>(tokens.data(), 4, 2, 4), numbers,
                         Seq<float>(out.data(), s.batch, s.tokens, 4));
  };
  join();
  std::vector<float> order;
  for (std::size_t i = 0; i < out.size(); i += 4) order.push_back(out[i]);
  CHECK(order == std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7});
  const std::vector<float> plain = out;

  joined.positions = true;
  join();
  const std::vector<double> frames{0, 2, 10, 12, 0, 2, 10, 12};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    CHECK(out[4 * i] - plain[4 * i] == Approx(std::sin(frames[i])).margin(1e-5));
    CHECK(out[4 * i + 2] - plain[4 * i + 2] == Approx(std::cos(frames[i])).margin(1e-5));
  }

  joined.attend = false;
  join();
  CHECK(out == tokens);
  CHECK(joined.sequences().batch == 4);
}
