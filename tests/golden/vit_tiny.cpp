#include <cstdint>
#include <vector>

#include "program_gemm.hpp"
#include "reference.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

/// The features of the file's clips, of the tokens `idx` names, for a model made for clips of 64x64.
template <class D>
std::vector<float> features(const Checkpoint& weights_file, const StoredTensor& clips, std::vector<std::int32_t> idx) {
  using Model = ViTTiny<>;
  const ClipSize made_for{.frames = 16, .height = 64, .width = 64};
  const ClipSize size{.frames = clips.shape[2], .height = clips.shape[3], .width = clips.shape[4]};
  const Index batch = clips.shape[0];
  typename D::Context ctx(2);
  Weights<D, Model> weights(ctx, Model{});
  weights.upload(ctx, read_params<Grad<D>>(weights_file, "", weights.layout()));
  const auto table = Model::resize_positions(weights_file.at("pos_embed").as<float>(), made_for, size);
  const std::vector<Grad<D>> positions(table.begin(), table.end());
  const auto pixels = clips.as<float>();
  if (idx.empty()) idx = every_token(batch, Model::grid(size).size());
  const Index kept = static_cast<Index>(idx.size()) / batch;
  const typename Model::template Input<D> input{
      Clips<const float>(pixels.data(), batch, 3, size.frames, size.height, size.width),
      TokenIndices(idx.data(), batch, kept), View<const Grad<D>, Dyn, 192>(positions.data(), Model::grid(size).size())};
  Arena<D> arena(ctx, std::size_t{256} << 20);
  std::vector<Scalar<D>> y(static_cast<std::size_t>(batch * kept * 192));
  Model::template infer<D>(ctx, arena, weights.params(), input, Out<D, 192>(y.data(), batch * kept));
  return {y.begin(), y.end()};
}

}  // namespace

// bf16 keeps 8 bits of every activation through 12 blocks: features agree to about a hundredth.
TEMPLATE_TEST_CASE_SIG("official vit_tiny gives the official features", "",
                       ((class D, int Permille100), D, Permille100), (Cpu<float>, 1), (Cpu<double>, 1),
                       (Cpu<float, ProgramGemm>, 1), (Cpu<bf16>, 2000), (Cpu<bf16, ProgramGemm>, 2000)) {
  const double tolerance = Permille100 * 1e-5;
  const auto path = VJEPA_GOLDEN("vit_tiny");
  const Checkpoint weights(path / "weights.safetensors");
  const Checkpoint io(path / "io.safetensors");
  CHECK(relative_error(features<D>(weights, io.at("clips"), {}), io.at("out").as<float>()) < tolerance);
  CHECK(relative_error(features<D>(weights, io.at("clips"), io.at("keep").as<std::int32_t>()),
                       io.at("out_masked").as<float>()) < tolerance);
  const Checkpoint larger(path / "io_interpolated.safetensors");
  CHECK(relative_error(features<D>(weights, larger.at("clips"), {}), larger.at("out").as<float>()) < tolerance);
}
