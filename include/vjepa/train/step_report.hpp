#pragma once

#include <vector>

#include "vjepa/core/view.hpp"

namespace vjepa {

/// One training step's figures.
struct StepReport {
  double loss = 0;  // jepa + reg_coeff * reg
  double jepa = 0;
  double reg = 0;
  double encoder_norm = 0;  // of the gradients, before clipping
  double predictor_norm = 0;
  double lr = 0;
  double weight_decay = 0;
  double momentum = 0;
  std::vector<Index> kept;  // tokens of context of each mask group
};

}  // namespace vjepa
