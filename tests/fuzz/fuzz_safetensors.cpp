// The reader of safetensors.
#include "fuzz.hpp"
#include "vjepa/io/safetensors.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  vjepa::fuzz::with_file({reinterpret_cast<const char*>(bytes), size}, [](const auto& path) {
    const vjepa::SafetensorsFile file(path);
    for (const vjepa::StoredTensor& tensor : file.tensors()) {
      vjepa::fuzz::touch(tensor);
      if (file.find(tensor.name) != &tensor) std::abort();
    }
  });
  return 0;
}
