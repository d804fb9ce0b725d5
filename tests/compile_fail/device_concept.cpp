// expects: Device
// A device that lacks everything but its types is no device, and a module says so by the concept's name.
#include <vector>

#include "vjepa/nn/linear.hpp"

struct Incomplete {
  struct Context {};
  using Scalar = float;
  using Grad = float;
};

void use(Incomplete::Context& ctx, const vjepa::Linear<2, 3>::Params<const float>& p) {
  vjepa::Linear<2, 3>::forward<Incomplete>(ctx, p, {}, {});
}
