#pragma once

#include "vjepa/data/frames.hpp"

namespace vjepa {

/// A clip for training as it was cut out of its video, for a device to resize, mirror and normalise.
struct CutClip {
  Frames frames;
  bool mirrored = false;
};

}  // namespace vjepa
