// A second translation unit with the whole library: it must link.
#include <vjepa/vjepa.hpp>

vjepa::Index parameters_of_the_other_unit() {
  return vjepa::ViT<vjepa::VitDims{.dim = 16, .depth = 2, .heads = 2, .patch = 8, .tubelet = 2}>::param_count;
}
