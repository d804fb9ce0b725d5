// The CUDA device's functions, and a small model trained on it, against Cpu<double>.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "cases.hpp"
#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// ‖got - expected‖ / ‖expected‖; infinite where a value is not finite.
double relative_error(const std::vector<double>& got, const std::vector<double>& expected) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / std::max(size, 1e-30));
}

/// The largest difference, as a share of the largest expected value: one wrong element among many that are right.
double worst_error(const std::vector<double>& got, const std::vector<double>& expected) {
  double difference = 0;
  double size = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(got[i] - expected[i]));
    size = std::max(size, std::abs(expected[i]));
  }
  return difference / size;
}

/// float32: some rounding of sums. bf16: a result is rounded once or twice, each to a part in 256, a few times as much
/// where it is made of others that were.
constexpr double float32_tolerance = 2e-6;
constexpr double bfloat16_tolerance = 6e-3;

/// What bf16 computes in float32 from values that are not rounded.
bool unrounded(const std::string& result) {
  static const std::set<std::string> all = {"linear_backward_weights dw",
                                            "linear_backward_weights db",
                                            "linear_backward_weights without db",
                                            "layer_norm stats",
                                            "layer_norm_backward dgamma",
                                            "layer_norm_backward dbeta",
                                            "attention lse",
                                            "power_loss 1",
                                            "power_loss 2",
                                            "power_loss 1.5",
                                            "hinge",
                                            "hinge dstd",
                                            "token_std",
                                            "cross_entropy",
                                            "adamw",
                                            "adamw without a copy",
                                            "clipped adamw",
                                            "adamw m",
                                            "adamw v",
                                            "average",
                                            "norm",
                                            "copied"};
  return all.contains(result);
}

/// `work` gives the case's results, twice the same.
template <class Work>
void compare(const std::string& name, const Sizes& sizes, Precision precision, double tolerance, Work&& work) {
  const Outcome expected = on_reference(name, sizes);
  const Outcome got = work();
  REQUIRE(got.size() == expected.size());
  for (const auto& [result, values] : expected) {
    INFO(name << ": " << result << ", " << (precision == Precision::float32 ? "float32" : "bfloat16") << ", "
              << (sizes.aligned ? "aligned" : "odd") << " sizes, heads of " << sizes.head_dim);
    REQUIRE(got.at(result).size() == values.size());
    const double most = unrounded(result) ? 4 * float32_tolerance : tolerance;
    CHECK(relative_error(got.at(result), values) <= most);
    CHECK(worst_error(got.at(result), values) <= 8 * most);
  }
  // The same again, byte for byte; on the emulator, with the threads of a block in the other order.
  reverse_threads(true);
  const bool same = work() == got;
  reverse_threads(false);
  INFO(name);
  CHECK(same);
}

void compare(const std::string& name, const Sizes& sizes, Precision precision, double tolerance) {
  compare(name, sizes, precision, tolerance, [&] { return on_cuda(name, sizes, precision); });
}

}  // namespace

#define VJEPA_NEEDS_CUDA() \
  if (const std::string missing = refusal(0); !missing.empty()) VJEPA_SKIP("no CUDA device: " << missing)

TEST_CASE("every member gives what Cpu<double> gives") {
  VJEPA_NEEDS_CUDA();
  for (const char* name : {"memory", "products", "rows", "pictures", "gather", "patchify", "losses", "deviations",
                           "cross_entropy", "update"}) {
    for (const bool aligned : {true, false}) {
      compare(name, {.aligned = aligned}, Precision::float32, float32_tolerance);
      compare(name, {.aligned = aligned}, Precision::bfloat16, bfloat16_tolerance);
    }
  }
}

TEST_CASE("a context that is told to take TF32 multiplies in both scalars") {
  VJEPA_NEEDS_CUDA();
  // The factors are TF32 as they are; tensor cores cut off their sums.
  compare("products", {.tf32 = true}, Precision::float32, 4 * float32_tolerance);
  compare("products", {.tf32 = true}, Precision::bfloat16, bfloat16_tolerance);
}

TEST_CASE("attention of every head size gives what Cpu<double> gives") {
  VJEPA_NEEDS_CUDA();
  // Those of the named models and predictors, the least and the most of tensor cores, and what these do not take: more
  // features, and no multiple of 8 of them.
  for (const Index head_dim : {8, 10, 24, 32, 40, 64, 80, 88, 96, 104, 128, 136, 320}) {
    // The emulator is slow, above all where features are added up by shuffles.
    if (emulated() && head_dim > 136) continue;
    const bool tensor_cores = head_dim <= 128 && head_dim % 8 == 0;
    const Sizes sizes{.head_dim = head_dim, .keys = emulated() && !tensor_cores ? 40 : 133};
    // float32 has fewer kernels.
    if (!emulated() || std::set<Index>{10, 24, 64, 80, 128}.contains(head_dim)) {
      compare("attention", sizes, Precision::float32, 4 * float32_tolerance);
    }
    // The weights are rounded before they meet the values, and the gradients of scores likewise.
    compare("attention", sizes, Precision::bfloat16, 2 * bfloat16_tolerance);
    if (emulated()) continue;
    compare("attention", sizes, Precision::bfloat16, 2 * bfloat16_tolerance,
            [&] { return attention_of_programs(sizes); });
  }
}

TEST_CASE("attention over many keys is as exact") {
  VJEPA_NEEDS_CUDA();
  // Tensor cores do not round their sums but cut them off, which adds up.
  compare("attention", {.head_dim = 32, .keys = 1500}, Precision::float32, 4 * float32_tolerance);
}

TEST_CASE("attention of numbers with all bits of float is as exact") {
  VJEPA_NEEDS_CUDA();
  // A product of factors in two parts lacks at most 3 * 2^-22 of itself: what the small parts give with each other, and
  // what was rounded off of either. It has both signs, so that a score is wrong by less than 1e-6, and its weight by
  // that share.
  for (const Index head_dim : {32, 128}) {
    compare("attention", {.head_dim = head_dim, .all_bits = true}, Precision::float32, 4 * float32_tolerance);
  }
}

TEST_CASE("a GPU without the shared memory for tensor cores attends without them") {
  if (!emulated()) VJEPA_SKIP("this GPU has what it has");
  struct SmallCard {
    SmallCard() { limit_shared_memory(99 * 1024); }  // of compute capability 8.6 and 8.9
    ~SmallCard() { limit_shared_memory(0); }
  };
  const SmallCard card;
  compare("attention", {.head_dim = 80, .keys = 40}, Precision::float32, 4 * float32_tolerance);
  compare("attention", {.head_dim = 128, .keys = 40}, Precision::bfloat16, 2 * bfloat16_tolerance);
  limit_shared_memory(1024);
  CHECK_THROWS_WITH(compare("attention", {.head_dim = 64, .keys = 40}, Precision::float32, float32_tolerance),
                    Contains("heads of 64 features") && Contains("use more heads"));
}

TEST_CASE("what was given back a moment ago is room for a larger array") {
  if (!emulated()) VJEPA_SKIP("this GPU has what it has");
  struct SmallCard {
    explicit SmallCard(std::size_t mebibytes) { limit_memory(mebibytes << 20); }
    ~SmallCard() { limit_memory(0); }
  };
  const std::size_t workspace = 32;  // of a context's products
  {
    const SmallCard card(workspace + 8);
    CHECK_NOTHROW(on_cuda("growing", {}, Precision::float32));
  }
  const SmallCard card(workspace + 7);
  CHECK_THROWS_WITH(on_cuda("growing", {}, Precision::float32),
                    Contains("cannot allocate 8388608 bytes, 7340032 of 40894464 are free"));
}

TEST_CASE("pretraining follows Cpu<double>") {
  VJEPA_NEEDS_CUDA();
  // Errors of one step grow through the next.
  compare("training", {.steps = 3}, Precision::float32, 1e-4);
  compare("training", {.steps = 3}, Precision::bfloat16, 2e-2);
  if (emulated()) return;  // minutes
  // After 200 steps the norms of the gradients on Cpu<float> are 5e-3 off those on Cpu<double>, on Cpu<bf16> 2e-2.
  compare("training", {.steps = 200}, Precision::float32, 2e-2);
  compare("training", {.steps = 200}, Precision::bfloat16, 6e-2);
}

TEST_CASE("work that comes again is a graph from its second time on, and does the same") {
  VJEPA_NEEDS_CUDA();
  const Outcome expected = on_reference("repeats", {});
  Outcome plain = on_cuda("repeats", {}, Precision::float32);
  Outcome graphs = on_cuda("repeats", {.graphs = true}, Precision::float32);
  CHECK(graphs.contains("work that fails"));
  CHECK(plain.at("calls") == std::vector<double>{8});
  // Of the five and the three, the first is done as it comes, and the second recorded; what failed was not kept.
  CHECK(graphs.at("calls") == std::vector<double>{4});
  CHECK(graphs.at("graph launches") == std::vector<double>{6});
  CHECK(relative_error(graphs.at("first"), expected.at("first")) <= float32_tolerance);
  CHECK(relative_error(graphs.at("second"), expected.at("second")) <= float32_tolerance);
  plain.erase("calls");
  graphs.erase("calls");
  graphs.erase("graph launches");
  CHECK(graphs == plain);
}

TEST_CASE("pretraining by graphs gives the same bytes") {
  VJEPA_NEEDS_CUDA();
  // Clips come to two places in turn: two steps are done as they come, the next two are recorded, and three repeat
  // them.
  Outcome graphs = on_cuda("training", {.steps = 7, .one_shape = true, .graphs = true}, Precision::bfloat16);
  CHECK(graphs.at("graph launches") == std::vector<double>{5});
  graphs.erase("graph launches");
  CHECK(graphs == on_cuda("training", {.steps = 7, .one_shape = true}, Precision::bfloat16));
}

TEST_CASE("a device that is not there is refused with what to choose") {
  const std::string message = refusal(4096);
  INFO(message);
  CHECK(message.find("cuda:4096: this machine has ") == 0);
  if (emulated()) CHECK(message == "cuda:4096: this machine has 2 CUDA devices; choose cuda:0 or cuda:1");
}
