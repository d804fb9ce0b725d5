// The readers of zip archives, of pickles and of checkpoints. Bytes that are no zip archive are read as the pickle in
// one, so that the fuzzer need not keep an archive in order to reach the opcodes.
#include <span>
#include <string>
#include <string_view>

#include "fuzz.hpp"
#include "vjepa/io/checkpoint.hpp"

namespace {

void put(std::string& out, std::size_t value, int width) {
  for (int i = 0; i < width; ++i, value >>= 8) out += static_cast<char>(value & 0xff);
}

/// A zip archive of this pickle and a storage for its tensors.
std::string archive_of(std::string_view pickle) {
  static const std::string storage(64, '\1');
  std::string out;
  std::string directory;
  for (const auto& [name, data] : {std::pair(std::string_view("x/data.pkl"), pickle),
                                   std::pair(std::string_view("x/data/0"), std::string_view(storage))}) {
    put(directory, 0x02014b50, 4);
    put(directory, 0, 16);
    put(directory, data.size(), 4);
    put(directory, data.size(), 4);
    put(directory, name.size(), 2);
    put(directory, 0, 12);
    put(directory, out.size(), 4);
    directory += name;
    put(out, 0x04034b50, 4);
    put(out, 0, 22);
    put(out, name.size(), 2);
    put(out, 0, 2);
    out.append(name).append(data);
  }
  const std::size_t begin = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 6);
  put(out, 2, 2);
  put(out, directory.size(), 4);
  put(out, begin, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(bytes), size);
  if (!vjepa::ZipArchive::begins_as_one(std::as_bytes(std::span(bytes, size)))) file = archive_of(file);
  vjepa::fuzz::with_file(file, [](const auto& path) {
    const vjepa::Checkpoint checkpoint(path);
    for (const vjepa::StoredTensor& tensor : checkpoint.tensors()) vjepa::fuzz::touch(tensor);
  });
  return 0;
}
