// Of a GPU, the tests set nothing.
#include "cases.hpp"

namespace vjepa::test {

bool emulated() {
  return false;
}
void reverse_threads(bool) {}
void limit_shared_memory(std::size_t) {}
void limit_memory(std::size_t) {}

}  // namespace vjepa::test
