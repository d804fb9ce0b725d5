#include <cstdint>
#include <vector>

#include "golden/reference.hpp"
#include "golden/vit_tiny.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"

using namespace vjepa;
using namespace vjepa::test;

// bf16 keeps 8 bits of every activation through 12 blocks: features agree to about a hundredth.
TEMPLATE_TEST_CASE_SIG("official vit_tiny gives the official features", "",
                       ((class D, int Permille100), D, Permille100), (Cpu<float>, 1), (Cpu<double>, 1),
                       (Cpu<float, ProgramGemm>, 1), (Cpu<bf16>, 2000), (Cpu<bf16, ProgramGemm>, 2000)) {
  const double tolerance = Permille100 * 1e-5;
  const auto path = VJEPA_GOLDEN("vit_tiny");
  typename D::Context ctx(2);
  const Checkpoint weights(path / "weights.safetensors");
  const Checkpoint io(path / "io.safetensors");
  CHECK(relative_error(vit_tiny_features<D>(ctx, weights, io.at("clips"), {}), io.at("out").as<float>()) < tolerance);
  CHECK(relative_error(vit_tiny_features<D>(ctx, weights, io.at("clips"), io.at("keep").as<std::int32_t>()),
                       io.at("out_masked").as<float>()) < tolerance);
  const Checkpoint larger(path / "io_interpolated.safetensors");
  CHECK(relative_error(vit_tiny_features<D>(ctx, weights, larger.at("clips"), {}), larger.at("out").as<float>()) <
        tolerance);
}
