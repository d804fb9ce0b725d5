// expects: no matching
// A view of another width does not pass for the one a module wants.
#include "vjepa/nn/linear.hpp"

vjepa::View<float, vjepa::Dyn, 5> narrow;
vjepa::View<float, vjepa::Dyn, 6> wide(narrow);
