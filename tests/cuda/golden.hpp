#pragma once

#include <cstdint>
#include <vector>

#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/stored_tensor.hpp"
#include "vjepa/train/pretrain_config.hpp"

namespace vjepa::test {

/// vit_tiny_features on Cuda<float> or Cuda<bf16>.
std::vector<float> vit_tiny_on_cuda(const Checkpoint& weights, const StoredTensor& clips,
                                    const std::vector<std::int32_t>& idx, Precision precision);

}  // namespace vjepa::test
