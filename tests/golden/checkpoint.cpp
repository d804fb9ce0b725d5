#include "vjepa/io/checkpoint.hpp"

#include <algorithm>
#include <cstring>

#include "catch.hpp"

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
