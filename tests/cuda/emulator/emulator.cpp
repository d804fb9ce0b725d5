// What the tests set on the emulator.
#include "cases.hpp"
#include "cuda_runtime.h"

namespace vjepa::test {

bool emulated() {
  return true;
}
void reverse_threads(bool reversed) {
  emulator::reversed = reversed;
}
void limit_shared_memory(std::size_t bytes) {
  emulator::most_shared_bytes = bytes > 0 ? bytes : cuda::shared_bytes_of_h100;
}
void limit_memory(std::size_t bytes) {
  emulator::DeviceMemory::most_bytes = bytes > 0 ? bytes : SIZE_MAX;
}

}  // namespace vjepa::test
