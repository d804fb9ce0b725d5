#include "vjepa/train/run_state.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
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

using Encoder = ViT<VitDims{.dim = 8, .depth = 2, .heads = 2, .patch = 4, .tubelet = 2}>;
using Guess = Predictor<PredictorDims{.encoder_dim = 8, .dim = 8, .heads = 2}>;

PretrainConfig small_config() {
  PretrainConfig config;
  config.data.batch_size = 2;
  config.data.num_clips = 2;
  config.data.num_frames = 4;
  config.data.crop_size = 16;
  config.data.patch_size = 4;
  config.mask = {Multiblock3d{.num_blocks = 2, .spatial_scale = {0.3, 0.3}}, RandomTube{.ratio = 0.7}};
  config.loss.reg_coeff = 0.1;
  config.model.pred_depth = 1;
  config.optimization.epochs = 4;
  config.optimization.lr = 1e-2;
  config.optimization.start_lr = 1e-3;
  config.optimization.warmup = 0.5;
  config.optimization.clip_grad = 0.05;
  config.meta.seed = 3;
  return config;
}

std::vector<float> clips_of(std::int64_t step) {
  Random random({.seed = 8, .sample = static_cast<std::uint64_t>(step)});
  std::vector<float> pixels(4 * 3 * 4 * 16 * 16);
  for (float& p : pixels) p = static_cast<float>(random.normal());
  return pixels;
}

}  // namespace

TEMPLATE_TEST_CASE("a run that is stopped, saved and resumed gives the bytes of one that is not", "", Cpu<float>,
                   Cpu<bf16>, Cpu<double>) {
  using Trainer = Pretrainer<TestType, Encoder, Guess>;
  const TemporaryFolder folder;
  const auto train = [](Trainer& trainer, std::int64_t until) {
    while (trainer.steps() < until) trainer.step(clips_of(trainer.steps()));
  };

  typename TestType::Context one(1);
  Trainer unbroken(one, small_config(), 3);
  train(unbroken, 7);
  save_run_state(folder.path() / "unbroken", unbroken, {.steps = 7}, {});

  typename TestType::Context two(2);
  Trainer first(two, small_config(), 3);
  train(first, 4);
  save_run_state(folder.path() / "stopped", first, {.steps = 4, .epoch_loss = 0.1}, {});
  Trainer second(two, small_config(), 3);
  const RunPosition position = load_run_state(Checkpoint(folder.path() / "stopped"), second);
  CHECK(position.steps == 4);
  CHECK(position.epoch_loss == 0.1);
  train(second, 7);
  save_run_state(folder.path() / "resumed", second, {.steps = 7}, {});
  CHECK(bytes_of(folder.path() / "resumed") == bytes_of(folder.path() / "unbroken"));
}

TEST_CASE("training lowers the loss on clips that repeat") {
  using Trainer = Pretrainer<Cpu<float>, Encoder, Guess>;
  cpu::Context ctx(2);
  PretrainConfig config = small_config();
  config.optimization.epochs = 100;
  Trainer trainer(ctx, config, 10);
  double first = 0;
  double last = 0;
  for (int i = 0; i < 60; ++i) {
    const StepReport report = trainer.step(clips_of(i % 2));
    CHECK(report.kept.size() == 2);
    if (i < 10) first += report.jepa;
    if (i >= 50) last += report.jepa;
  }
  CHECK(last < 0.9 * first);
}

TEST_CASE("a loss that is not finite stops the step before it changes a weight") {
  using Trainer = Pretrainer<Cpu<float>, Encoder, Guess>;
  cpu::Context ctx(1);
  Trainer trainer(ctx, small_config(), 3);
  const auto before = trainer.encoder().download(ctx);
  auto clips = clips_of(0);
  clips[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(trainer.step(clips),
                    Contains("the loss is nan") && Contains("step 0") && Contains("lower optimization.lr"));
  CHECK(trainer.encoder().download(ctx) == before);
  CHECK(trainer.steps() == 0);
}

TEST_CASE("the state of another model is refused, name by name") {
  using Other = ViT<VitDims{.dim = 16, .depth = 3, .heads = 2, .patch = 4, .tubelet = 2}>;
  using OtherGuess = Predictor<PredictorDims{.encoder_dim = 16, .dim = 8, .heads = 2}>;
  const TemporaryFolder folder;
  cpu::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> saved(ctx, small_config(), 3);
  save_run_state(folder.path() / "state", saved, {}, {});
  Pretrainer<Cpu<float>, Other, OtherGuess> other(ctx, small_config(), 3);
  CHECK_THROWS_WITH(load_run_state(Checkpoint(folder.path() / "state"), other),
                    Contains("missing: encoder.blocks.2.norm1.weight [16]") &&
                        Contains("other shape: encoder.norm.weight is [8], the model wants [16]"));
}

TEST_CASE("a position before the beginning is refused") {
  const TemporaryFolder folder;
  cpu::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> trainer(ctx, small_config(), 3);
  RunPosition position;
  position.batches_read = -1;
  save_run_state(folder.path() / "state", trainer, position, {});
  CHECK_THROWS_WITH(load_run_state(Checkpoint(folder.path() / "state"), trainer),
                    Contains("state: ") && Contains("below 0"));
}

TEST_CASE("clips of another size than the configuration's are refused") {
  cpu::Context ctx(1);
  Pretrainer<Cpu<float>, Encoder, Guess> trainer(ctx, small_config(), 3);
  CHECK_THROWS_WITH(trainer.step(std::vector<float>(100)), Contains("100 pixels"));
}
