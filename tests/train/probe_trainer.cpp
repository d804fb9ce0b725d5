#include "vjepa/train/probe_trainer.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/io/safetensors.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

constexpr PoolerDims dims{.dim = 16, .heads = 2};
constexpr Index classes = 4;
constexpr Index tokens = 6;

ProbeConfig config() {
  ProbeConfig c;
  c.data.num_classes = classes;
  c.optimization = {.num_epochs = 4, .batch_size = 8, .weight_decay = 0.01, .lr = 3e-3, .start_lr = 3e-3};
  return c;
}

/// Tokens of noise, a quarter of which carry the direction of their class.
template <class S>
struct Batch {
  std::vector<S> tokens_;
  std::vector<float> means;
  std::vector<std::int32_t> labels;

  Batch(std::uint64_t sample, Index batch) : means(static_cast<std::size_t>(batch * dims.dim)) {
    Random random({.seed = 3, .sample = sample});
    for (Index b = 0; b < batch; ++b) {
      labels.push_back(static_cast<std::int32_t>(random.below(classes)));
      for (Index t = 0; t < tokens; ++t) {
        for (Index d = 0; d < dims.dim; ++d) {
          const double value = random.normal() + (t == 2 && d == labels.back() ? 6 : 0);
          tokens_.push_back(S(static_cast<float>(value)));
          means[static_cast<std::size_t>(b * dims.dim + d)] += static_cast<float>(value / tokens);
        }
      }
    }
  }
  Seq<const S> view() const {
    return Seq<const S>(tokens_.data(), static_cast<Index>(labels.size()), tokens, dims.dim);
  }
};

Index correct(const std::vector<float>& logits, const std::vector<std::int32_t>& labels) {
  Index count = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * classes);
    count += std::max_element(row, row + classes) - row == labels[i] ? 1 : 0;
  }
  return count;
}

}  // namespace

TEMPLATE_TEST_CASE("both probes separate tokens that are linearly separable", "", Cpu<float>, Cpu<bf16>) {
  using D = TestType;
  typename D::Context ctx(2);
  ProbeTrainer<D, dims> trainer(ctx, config(), 100);
  double first = 0;
  double last = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const Batch<Scalar<D>> batch(i, 8);
    last = trainer.step(batch.view(), batch.means, batch.labels).loss;
    if (i == 0) first = last;
  }
  CHECK(last < first);
  const Batch<Scalar<D>> unseen(1000, 400);
  CHECK(correct(trainer.logits(unseen.view()), unseen.labels) > 360);
  CHECK(correct(trainer.linear_logits(unseen.means), unseen.labels) > 200);  // the noise of six tokens, averaged
}

TEST_CASE("a probe that is saved and loaded goes on as if it had not been") {
  using D = Cpu<float>;
  D::Context ctx(2);
  const TemporaryFolder folder;
  ProbeTrainer<D, dims> whole(ctx, config(), 10);
  const auto save = [&](ProbeTrainer<D, dims>& trainer, const char* name) {
    StateDict state;
    trainer.save(state);
    write_safetensors(folder.path() / name, state.tensors(), {});
  };
  const auto train = [&](ProbeTrainer<D, dims>& trainer, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
      const Batch<float> batch(i, 8);
      trainer.step(batch.view(), batch.means, batch.labels);
    }
  };
  train(whole, 0, 5);
  save(whole, "half");
  train(whole, 5, 10);
  save(whole, "whole");
  ProbeTrainer<D, dims> resumed(ctx, config(), 10);
  resumed.load(Checkpoint(folder.path() / "half"), 5);
  train(resumed, 5, 10);
  save(resumed, "resumed");
  CHECK(bytes_of(folder.path() / "whole") == bytes_of(folder.path() / "resumed"));
}

TEST_CASE("a loss that is not finite leaves the weights alone") {
  using D = Cpu<float>;
  D::Context ctx(1);
  ProbeTrainer<D, dims> trainer(ctx, config(), 10);
  Batch<float> batch(0, 8);
  const auto before = trainer.logits(batch.view());
  Batch<float> broken(0, 8);
  broken.tokens_[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(trainer.step(broken.view(), broken.means, broken.labels), Contains("at step 0"));
  CHECK(trainer.logits(batch.view()) == before);
}

TEST_CASE("a linear probe that cannot be trained is told of, where it is wanted") {
  using D = Cpu<float>;
  D::Context ctx(1);
  Batch<float> broken(0, 8);
  broken.means[5] = std::numeric_limits<float>::quiet_NaN();
  ProbeConfig alone = config();
  alone.probe.linear = false;
  CHECK_NOTHROW(ProbeTrainer<D, dims>(ctx, alone, 10).step(broken.view(), broken.means, broken.labels));
  ProbeTrainer<D, dims> both(ctx, config(), 10);
  CHECK_THROWS_WITH(both.step(broken.view(), broken.means, broken.labels), Contains("the linear probe"));
}
