#pragma once

#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"

namespace vjepa {

/// Where an encoder's fixed positions come from when its clips have another size than those it was trained on: computed
/// for that size, as the official evaluation does, or interpolated from the trained ones, as the official encoder does.
enum class PositionSource { computed, interpolated };

/// The fixed positions for clips of one size, [grid(clip).size(), dim]: the checkpoint's own where they are of that
/// size. Throws Error when positions are to be interpolated and the checkpoint has none whose size is known.
template <class Encoder>
std::vector<float> encoder_positions(const Checkpoint& checkpoint, const RecognisedEncoder& found, const ClipSize& clip,
                                     PositionSource source) {
  const auto stored = [&] { return checkpoint.at(found.prefix + "pos_embed").template as<float>(); };
  if (found.clip == clip) return stored();
  if (source == PositionSource::computed) return Encoder::positions(clip, found.uniform_power);
  if (!found.clip) fail(checkpoint.path().string(), ": holds no positions of a known clip size to interpolate");
  return Encoder::resize_positions(stored(), *found.clip, clip);
}

}  // namespace vjepa
