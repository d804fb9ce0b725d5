#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/model/weights.hpp"

namespace vjepa::test {

/// The features of the file's clips, of the tokens `idx` names (every one when it names none), for a model made for
/// clips of 64x64.
template <class D>
std::vector<float> vit_tiny_features(Context<D>& ctx, const Checkpoint& weights_file, const StoredTensor& clips,
                                     std::vector<std::int32_t> idx) {
  using Model = ViTTiny<>;
  const ClipSize made_for{.frames = 16, .height = 64, .width = 64};
  const ClipSize size{.frames = clips.shape[2], .height = clips.shape[3], .width = clips.shape[4]};
  const Index batch = clips.shape[0];
  Weights<D, Model> weights(ctx, Model{});
  weights.upload(ctx, read_params<Grad<D>>(weights_file, "", weights.layout()));
  const auto table = Model::resize_positions(weights_file.at("pos_embed").as<float>(), made_for, size);
  const Array<D, Grad<D>> positions(ctx, std::vector<Grad<D>>(table.begin(), table.end()));
  const auto given = clips.as<float>();
  const Array<D, Scalar<D>> pixels(ctx, std::vector<Scalar<D>>(given.begin(), given.end()));
  if (idx.empty()) idx = every_token(batch, Model::grid(size).size());
  const Array<D, std::int32_t> tokens(ctx, idx);
  const Index kept = tokens.size() / batch;
  const typename Model::template Input<D> input{
      Clips<const Scalar<D>>(pixels.data(), batch, 3, size.frames, size.height, size.width),
      TokenIndices(tokens.data(), batch, kept),
      View<const Grad<D>, Dyn, 192>(positions.data(), Model::grid(size).size())};
  Arena<D> arena(ctx, std::size_t{256} << 20);
  const Array<D, Scalar<D>> y(ctx, batch * kept * 192);
  Model::template infer<D>(ctx, arena, weights.params(), input, Out<D, 192>(y.data(), batch * kept));
  const std::vector<Scalar<D>> values = y.download(ctx);
  return {values.begin(), values.end()};
}

}  // namespace vjepa::test
