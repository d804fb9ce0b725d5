// The reader of npy.
#include "fuzz.hpp"
#include "vjepa/io/npy.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  vjepa::fuzz::with_file({reinterpret_cast<const char*>(bytes), size},
                         [](const auto& path) { vjepa::fuzz::touch(vjepa::NpyFile(path).tensor()); });
  return 0;
}
