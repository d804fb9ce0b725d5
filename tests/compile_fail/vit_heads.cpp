// expects: vjepa::ViT: dim must be a multiple of heads
#include "vjepa/model/vit.hpp"

constexpr auto count = vjepa::ViT<vjepa::VitDims{.dim = 100, .depth = 2, .heads = 3}>::param_count;
