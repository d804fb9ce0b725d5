// expects: vjepa::AttentivePooler: dim must be a multiple of heads
#include "vjepa/model/attentive_pooler.hpp"

vjepa::AttentivePooler<vjepa::PoolerDims{.dim = 100, .heads = 3}> pooler;
