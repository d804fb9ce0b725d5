// npy_copy IN OUT ROWS: reads an npy file, and writes it as a whole and as a stream of rows.
#include <cstdio>
#include <exception>

#include "vjepa/io/npy.hpp"

int main(int argc, char** argv) {
  try {
    if (argc != 4) vjepa::fail("three files are wanted");
    const vjepa::NpyFile in(argv[1]);
    const vjepa::StoredTensor& tensor = in.tensor();
    vjepa::write_npy(argv[2], tensor);
    if (tensor.shape.empty() || tensor.bytes.empty()) return 0;
    vjepa::NpyWriter rows(argv[3], tensor.dtype, {tensor.shape.begin() + 1, tensor.shape.end()});
    const std::size_t size = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0]);
    for (std::size_t at = 0; at < tensor.bytes.size(); at += size) rows.append(tensor.bytes.subspan(at, size));
    rows.commit();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "npy_copy: %s\n", e.what());
    return 1;
  }
}
