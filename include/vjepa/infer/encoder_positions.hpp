#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/stored_tensor.hpp"

namespace vjepa {

/// Where an encoder's fixed positions come from when its clips have another size than those it was trained on: computed
/// for that size, as the official evaluation does, or interpolated from the trained ones, as the official encoder does.
enum class PositionSource { computed, interpolated };

/// The clip size that the encoder under `prefix` was trained on: what the checkpoint says of its run, else the 16
/// frames and the square that fit its number of positions; nothing where neither is there.
template <class Encoder>
std::optional<ClipSize> trained_clip(const Checkpoint& checkpoint, const std::string& prefix) {
  const auto number = [&](const char* key) {
    const std::string value = checkpoint.metadata(key).value_or("");
    Index n = 0;
    std::from_chars(value.data(), value.data() + value.size(), n);
    return n;
  };
  const StoredTensor* stored = checkpoint.find(prefix + "pos_embed");
  const Index rows = stored != nullptr && stored->shape.size() == 3 ? stored->shape[1] : 0;
  const Index tubelet = std::max<Index>(1, Encoder::dims.tubelet);
  const Index patch = Encoder::dims.patch;
  const auto fits = [&](Index frames, Index size) {
    return frames > 0 && size > 0 && frames % tubelet == 0 && size % patch == 0 &&
           (rows == 0 || rows == (frames / tubelet) * (size / patch) * (size / patch));
  };
  if (fits(number("data.num_frames"), number("data.crop_size"))) {
    const Index size = number("data.crop_size");
    return ClipSize{.frames = number("data.num_frames"), .height = size, .width = size};
  }
  const Index frames = Encoder::is_video ? 16 : 1;
  const double per_frame = static_cast<double>(rows * tubelet) / static_cast<double>(frames);
  const Index size = patch * static_cast<Index>(std::lround(std::sqrt(per_frame)));
  if (rows == 0 || !fits(frames, size)) return std::nullopt;
  return ClipSize{.frames = frames, .height = size, .width = size};
}

/// The fixed positions for clips of one size, [grid(clip).size(), dim]. A checkpoint's own are taken where they are of
/// that size. Whether computed ones share their features evenly between time, height and width (`uniform_power`) is
/// what the checkpoint says or shows, else true, as in every official configuration. Throws Error when positions are to
/// be interpolated and the checkpoint has none whose size is known.
template <class Encoder>
std::vector<float> encoder_positions(const Checkpoint& checkpoint, const std::string& prefix, const ClipSize& clip,
                                     PositionSource source) {
  const StoredTensor* stored = checkpoint.find(prefix + "pos_embed");
  const std::optional<ClipSize> trained = trained_clip<Encoder>(checkpoint, prefix);
  if (stored != nullptr && trained == clip) return stored->as<float>();
  if (source == PositionSource::interpolated) {
    if (stored == nullptr || !trained) {
      fail(checkpoint.path().string(), ": holds no positions of a known clip size to interpolate");
    }
    return Encoder::resize_positions(stored->as<float>(), *trained, clip);
  }
  bool uniform = checkpoint.metadata("model.uniform_power").value_or("true") != "false";
  if (stored != nullptr && trained && !checkpoint.metadata("model.uniform_power")) {
    const std::vector<float> table = stored->as<float>();
    const std::vector<float> uneven = Encoder::positions(*trained, false);
    uniform = !std::equal(table.begin(), table.end(), uneven.begin(), uneven.end(),
                          [](float a, float b) { return std::abs(a - b) < 1e-3f; });
  }
  return Encoder::positions(clip, uniform);
}

}  // namespace vjepa
