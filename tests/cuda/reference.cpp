#include "cases.hpp"
#include "vjepa/cpu/cpu.hpp"

namespace vjepa::test {

Outcome on_reference(const std::string& name, const Sizes& sizes) {
  Cpu<double>::Context ctx(1);
  return Cases<Cpu<double>>(ctx).run(name, sizes);
}

}  // namespace vjepa::test
