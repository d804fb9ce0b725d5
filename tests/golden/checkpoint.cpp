#include "vjepa/io/checkpoint.hpp"

#include <algorithm>
#include <cstring>

#include "reference.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/predictor.hpp"
#include "vjepa/model/vit.hpp"
#include "vjepa/train/pretrainer.hpp"
#include "vjepa/train/run_state.hpp"

using namespace vjepa;
using namespace vjepa::test;

TEST_CASE("the official trainer's checkpoint") {
  const auto folder = VJEPA_GOLDEN("micro");
  const Checkpoint official(folder / "jepa-latest.pth.tar");
  const Checkpoint expected(folder / "jepa-latest.expected.safetensors");
  CHECK(official.is_torch());

  for (const StoredTensor& want : expected.tensors()) {
    INFO(want.name);
    const StoredTensor* got = official.find(want.name);
    REQUIRE(got != nullptr);
    CHECK(got->dtype == want.dtype);
    CHECK(got->shape == want.shape);
    CHECK(std::ranges::equal(got->bytes, want.bytes));
  }

  CHECK(official.metadata("epoch") == "3");
  CHECK(official.metadata("batch_size") == "3");
  CHECK(official.metadata("lr") == "0.001");
  CHECK(official.metadata("scaler") == "none");
  CHECK(official.metadata("opt.step") == "5");
  CHECK(official.metadata("opt.weight_decay") == "0.04");

  // Each parameter has its moments, by name and in its shape.
  std::size_t moments = 0;
  for (const StoredTensor& param : expected.tensors()) {
    if (param.name.starts_with("target_encoder.") || official::is_positions(param.name)) continue;
    for (const char* moment : {"opt.exp_avg.", "opt.exp_avg_sq."}) {
      INFO(moment << param.name);
      const StoredTensor* found = official.find(moment + param.name);
      REQUIRE(found != nullptr);
      CHECK(found->shape == param.shape);
      ++moments;
    }
  }
  CHECK(official.tensors().size() == expected.tensors().size() + moments);
}

TEST_CASE("training goes on from the official trainer's checkpoint") {
  const auto folder = VJEPA_GOLDEN("micro");
  using D = Cpu<float>;
  using Encoder = ViT<VitDims{.dim = 32, .depth = 2, .heads = 2, .patch = 4, .tubelet = 2}>;
  using Guess = Predictor<PredictorDims{.encoder_dim = 32, .dim = 24, .heads = 2}>;
  PretrainConfig config;
  config.data.batch_size = 3;
  config.data.num_frames = 8;
  config.data.crop_size = 16;
  config.data.patch_size = 4;
  config.mask = {Multiblock3d{}, Multiblock3d{}};
  config.model.pred_depth = 2;
  config.optimization.epochs = 10;
  D::Context ctx(1);
  Pretrainer<D, Encoder, Guess> trainer(ctx, config, 2);
  const RunPosition position = load_run_state(Checkpoint(folder / "jepa-latest.pth.tar"), trainer);
  CHECK(position.steps == 5);
  CHECK(position.batches_read == 5);
  CHECK(trainer.steps() == 5);

  const Checkpoint official(folder / "jepa-latest.pth.tar");
  const auto compare = [&](const std::vector<float>& values, const ParamLayout& layout, const std::string& prefix) {
    for (const ParamInfo& p : layout.params()) {
      INFO(prefix << p.name);
      CHECK(param_of(values, p) == official.at(prefix + p.name).as<float>());
    }
  };
  compare(trainer.encoder().download(ctx), trainer.encoder().layout(), "encoder.");
  compare(trainer.target_encoder().download(ctx), trainer.encoder().layout(), "target_encoder.");
  compare(trainer.predictor_adamw().first_moment().download(ctx), trainer.predictor().layout(),
          "opt.exp_avg.predictor.");
  compare(trainer.encoder_adamw().second_moment().download(ctx), trainer.encoder().layout(), "opt.exp_avg_sq.encoder.");
  CHECK_THROWS_WITH(load_run_state(Checkpoint(folder / "weights.safetensors"), trainer), Contains("not the state"));
}
