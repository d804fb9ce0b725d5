#pragma once

#include <vector>

#include "vjepa/core/shapes.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"

namespace vjepa {

/// The fixed positions of an encoder made for clips of size `made_for`, for clips of size `clip`, [grid(clip).size(),
/// dim]. The checkpoint's own are taken where they are of the first size, else they are computed, as in the official
/// evaluation; they are interpolated where the sizes differ, as by the official encoder.
template <class Encoder>
std::vector<float> encoder_positions(const Checkpoint& checkpoint, const RecognisedEncoder& found,
                                     const ClipSize& made_for, const ClipSize& clip, bool uniform_power) {
  const bool fits = found.positions == Encoder::grid(made_for).size() && found.dims.dim == Encoder::dim;
  const bool own = fits && (!found.clip || *found.clip == made_for);
  const std::vector<float> table = own ? checkpoint.at(found.prefix + "pos_embed").template as<float>()
                                       : Encoder::positions(made_for, uniform_power);
  return clip == made_for ? table : Encoder::resize_positions(table, made_for, clip);
}

}  // namespace vjepa
