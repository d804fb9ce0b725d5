#include "golden.hpp"

#include "cases.hpp"
#include "golden/reference.hpp"

using namespace vjepa;
using namespace vjepa::test;

// bf16 keeps 8 bits of every activation through 12 blocks: features agree to about a hundredth.
TEST_CASE("official vit_tiny gives the official features on CUDA") {
  if (const std::string missing = refusal(0); !missing.empty()) VJEPA_SKIP("no CUDA device: " << missing);
  const auto path = VJEPA_GOLDEN("vit_tiny");
  const Checkpoint weights(path / "weights.safetensors");
  const Checkpoint io(path / "io.safetensors");
  const auto error = [&](const std::vector<std::int32_t>& idx, const char* expected, Precision precision) {
    return relative_error(vit_tiny_on_cuda(weights, io.at("clips"), idx, precision), io.at(expected).as<float>());
  };
  CHECK(error({}, "out", Precision::float32) < 1e-5);
  CHECK(error(io.at("keep").as<std::int32_t>(), "out_masked", Precision::float32) < 1e-5);
  CHECK(error(io.at("keep").as<std::int32_t>(), "out_masked", Precision::bfloat16) < 2e-2);
}
