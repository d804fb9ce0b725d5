// expects: vjepa::ViT: every dimension must be positive
#include "vjepa/model/vit.hpp"

constexpr auto count = vjepa::ViT<vjepa::VitDims{.dim = 96, .depth = 0, .heads = 3}>::param_count;
