#pragma once

#include <vector>

namespace vjepa {

/// What one step of a probe's training gave, before the weights changed.
struct ProbeStep {
  double loss = 0;
  std::vector<float> logits;         // of the attentive classifier, [batch, classes]
  std::vector<float> linear_logits;  // of the linear one
};

}  // namespace vjepa
