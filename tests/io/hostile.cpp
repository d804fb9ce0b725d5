// Files made to do harm: each is refused with an Error, in memory that the file's own size bounds.
#include <malloc.h>
#include <sys/stat.h>
#include <zlib.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/npy.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/io/torch_checkpoint.hpp"

namespace {
std::atomic<std::size_t> allocated{0};
std::atomic<std::size_t> most_allocated{0};
}  // namespace

// Counts what is allocated; a limit on the address space would not do under a sanitizer.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* memory = std::malloc(size);
  if (memory == nullptr) return nullptr;
  const std::size_t sum = allocated += malloc_usable_size(memory);
  std::size_t most = most_allocated;
  while (sum > most && !most_allocated.compare_exchange_weak(most, sum)) {
  }
  return memory;
}
void* operator new(std::size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// Not inlined: the compiler would take free for a mistake beside `new`.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  allocated -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  operator delete(memory);
}

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t megabyte = 1 << 20;

/// The most that `work` had allocated at a time.
std::size_t allocated_by(const std::function<void()>& work) {
  const std::size_t before = allocated;
  most_allocated = before;
  work();
  return most_allocated - before;
}

/// An entry of a zip archive as it claims to be.
struct Entry {
  std::string name;
  std::string data;  // as it is in the archive
  std::uint64_t size = data.size();
  std::uint16_t method = 0;
  std::uint64_t packed = data.size();
};

Entry deflated(const std::string& name, const std::string& data) {
  std::string out(compressBound(data.size()) + 64, '\0');
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return {.name = name, .data = out, .size = data.size(), .method = 8};
}

/// A zip archive that gives every size and place in 64 bits, as if `hole` bytes more stood before the first entry's
/// data.
std::string zip_of(const std::vector<Entry>& entries, std::uint64_t hole = 0) {
  std::string out;
  std::string directory;
  const auto put = [](std::string& to, std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i, value >>= 8) to += static_cast<char>(value & 0xff);
  };
  const auto place = [&] { return out.empty() ? 0 : out.size() + hole; };
  for (const Entry& entry : entries) {
    const std::uint64_t more = out.empty() ? hole : 0;
    put(directory, 0x02014b50, 4);
    put(directory, 0, 6);
    put(directory, entry.method, 2);
    put(directory, 0, 8);
    put(directory, 0xffffffff, 4);
    put(directory, 0xffffffff, 4);
    put(directory, entry.name.size(), 2);
    put(directory, 28, 2);
    put(directory, 0, 10);
    put(directory, 0xffffffff, 4);
    directory += entry.name;
    put(directory, 1, 2);
    put(directory, 24, 2);
    put(directory, entry.size + more, 8);
    put(directory, entry.packed + more, 8);
    put(directory, place(), 8);
    put(out, 0x04034b50, 4);
    put(out, 0, 22);
    put(out, entry.name.size(), 2);
    put(out, 0, 2);
    out += entry.name + entry.data;
  }
  const std::uint64_t begin = place();
  out += directory;
  const std::uint64_t end = place();
  put(out, 0x06064b50, 4);
  put(out, 44, 8);
  put(out, 0, 12);
  put(out, entries.size(), 8);
  put(out, entries.size(), 8);
  put(out, directory.size(), 8);
  put(out, begin, 8);
  put(out, 0x07064b50, 4);
  put(out, 0, 4);
  put(out, end, 8);
  put(out, 1, 4);
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, 0xffff, 2);
  put(out, 0xffff, 2);
  put(out, 0xffffffff, 4);
  put(out, 0xffffffff, 4);
  put(out, 0, 2);
  return out;
}

std::string text_opcode(const std::string& text) {
  std::string out = "X";
  for (int i = 0; i < 4; ++i) out += static_cast<char>((text.size() >> (8 * i)) & 0xff);
  return out + text;
}

/// Opcodes of a tensor of one element in the float storage named `key`.
std::string tensor_opcodes(const std::string& key, const std::string& shape = ")", const std::string& strides = ")") {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text_opcode("storage") + "ctorch\nFloatStorage\n" +
         text_opcode(key) + text_opcode("cpu") + std::string("K\1tQK\0", 6) + shape + strides + "\x89}tR";
}

std::string times(std::size_t count, const std::string& text) {
  std::string out;
  out.reserve(count * text.size());
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// Reads it and wants an Error that says so, and no more memory than `most`.
void check_refused(const fs::path& path, const std::string& message, std::size_t most = 16 * megabyte) {
  INFO(message);
  const std::size_t used = allocated_by([&] {
    CHECK_THROWS_AS(Checkpoint(path), Error);
    CHECK_THROWS_WITH(Checkpoint(path), Contains(path.filename().string()) && Contains(message));
  });
  CHECK(used < most);
}

void check_refused(const std::string& bytes, const std::string& message, std::size_t most = 16 * megabyte) {
  const TemporaryFolder folder;
  write_bytes(folder.path() / "bad.pt", bytes);
  check_refused(folder.path() / "bad.pt", message, most);
}

std::string pickled(const std::string& opcodes) {
  return "\x80\x02" + opcodes + ".";
}

}  // namespace

TEST_CASE("a checkpoint of the official trainer, cut anywhere, is refused") {
  const fs::path golden = VJEPA_GOLDEN("micro/jepa-latest.pth.tar");
  const std::string whole = bytes_of(golden);
  for (std::size_t part = 1; part < 50; ++part) {
    check_refused(whole.substr(0, whole.size() * part / 50), "cut short");
  }
}

TEST_CASE("few bytes of pickle that ask for much memory") {
  const std::string million(1'000'000, 'a');
  // 16 MB that deflate to nothing, each byte of them a value.
  for (const char* opcode : {")", "N", "(", "}", "]q\1"}) {
    const std::string pickle = pickled(times(5'000'000, opcode));
    check_refused(zip_of({deflated("x/data.pkl", pickle)}), "more than 1000000 opcodes", 512 * megabyte);
  }
  // One long text in many places.
  check_refused(zip_of({deflated("x/data.pkl", pickled(text_opcode(million) + "q\1](" + times(900'000, "h\1") + "e"))}),
                "names and texts", 256 * megabyte);
  check_refused(
      zip_of({deflated("x/data.pkl", pickled("]q\1(" + times(1000, "N") + "e0}(" + text_opcode(std::string(1000, 'a')) +
                                             "](" + times(900, "h\1") + "eu"))}),
      "names and texts", 256 * megabyte);
  // One tensor of many dimensions in many places.
  const std::string ones = "(" + times(64, "K\1") + "t";
  check_refused(
      zip_of({deflated("x/data.pkl", pickled(tensor_opcodes("0", ones, ones) + "q\1](" + times(900'000, "h\1") + "e")),
              {"x/data/0", "1234"}}),
      "more than 100000 values", 512 * megabyte);
  check_refused(zip_of({{"x/data.pkl", pickled(tensor_opcodes(million))}}), "name of a storage is longer");
  check_refused(zip_of({{"x/data.pkl", pickled("c" + million + "\n" + million + "\n)R")}}), "longer than");
}

TEST_CASE("zip archives that claim what they do not have") {
  const std::string pickle = pickled("}");
  const std::uint64_t huge = std::uint64_t{1} << 63;
  const Entry good{"x/data.pkl", pickle};
  check_refused(zip_of({good, {.name = "x/a", .data = "1", .size = huge, .packed = huge}}), "cut short");
  check_refused(zip_of({good, {.name = "x/a", .data = "1", .size = UINT64_MAX, .packed = UINT64_MAX}}), "cut short");
  check_refused(zip_of({good, {.name = "x/a", .data = "1", .size = huge, .packed = 1}}), "has two sizes");
  check_refused(zip_of({good, {.name = "x/a", .data = "1", .size = huge, .method = 8, .packed = 1}}), "unpack");
  // A big file whose small entry claims much, within what the file as a whole may unpack to.
  check_refused(zip_of({{.name = "x/data.pkl", .data = "1", .size = 100 * megabyte, .method = 8},
                        {"x/data/0", std::string(10 * megabyte, '1')}}),
                "unpack");
  check_refused(zip_of({{.name = "x/data.pkl", .data = pickle, .method = 12}}), "method 12");
  check_refused(zip_of({{.name = "x/data.pkl", .data = "not deflated", .size = 100, .method = 8}}), "does not unpack");
  Entry longer = deflated("x/data.pkl", std::string(1000, 'N'));
  longer.size = 999;
  check_refused(zip_of({longer}), "does not unpack");
  longer.size = 1001;
  check_refused(zip_of({longer}), "does not unpack");
}

TEST_CASE("an archive of more than 4 GiB is read where it is needed") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "large.pt";
  const std::uint64_t hole = std::uint64_t{5} << 30;
  const std::string name = "x/data/0";
  const auto eight = [](std::uint64_t value) {
    std::string out = "\x8a\x08";
    for (int i = 0; i < 8; ++i, value >>= 8) out += static_cast<char>(value & 0xff);
    return out;
  };
  // The last element of a storage that is a hole in the file.
  const std::uint64_t elements = hole / 4 + 1;
  std::string tensor = tensor_opcodes("0");
  tensor.replace(tensor.find(std::string("K\1tQK\0", 6)), 6, eight(elements) + "tQ" + eight(elements - 1));
  const std::string bytes = zip_of(
      {{name, std::string("\0\0\x80\x3f", 4)}, {"x/data.pkl", pickled("}" + text_opcode("w") + tensor + "s")}}, hole);
  const std::size_t before = 30 + name.size();
  {
    std::ofstream file(path, std::ios::binary);
    file << bytes.substr(0, before);
    file.seekp(static_cast<std::streamoff>(before + hole));
    file << bytes.substr(before);
  }
  const std::size_t used = allocated_by([&] { CHECK(Checkpoint(path).at("w").as<float>() == std::vector<float>{1}); });
  CHECK(used < megabyte);
}

TEST_CASE("names in an archive are names and no paths") {
  const TemporaryFolder folder;
  write_bytes(folder.path() / "secret", "1234");
  const std::string up = "../../../../../../../../";
  const std::string away = up + (folder.path() / "secret").string();
  check_refused(zip_of({{"x/data.pkl", pickled(tensor_opcodes(away))}}), "no entry 'x/data/" + away);
  const fs::path path = folder.path() / "a.pt";
  for (const std::string& root : {up, folder.path().string() + "/"}) {
    write_bytes(path, zip_of({{root + "data.pkl", pickled("}" + text_opcode("w") + tensor_opcodes("0") + "s")},
                              {root + "data/0", std::string("\0\0\x80\x3f", 4)}}));
    CHECK(Checkpoint(path).at("w").as<float>() == std::vector<float>{1});
  }
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("an empty entry may be deflated") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.pt";
  const std::string shape = std::string("K\0\x85", 3);
  std::string tensor = tensor_opcodes("0", shape, std::string("K\1\x85", 3));
  tensor.replace(tensor.find("K\1tQ"), 4, std::string("K\0tQ", 4));
  write_bytes(
      path, zip_of({deflated("x/data.pkl", pickled("}" + text_opcode("w") + tensor + "s")), deflated("x/data/0", "")}));
  CHECK(Checkpoint(path).at("w").shape == std::vector<Index>{0});
}

TEST_CASE("a safetensors header of brackets, or of many names, takes memory in proportion to it") {
  const auto file_of = [](const std::string& header) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>((header.size() >> (8 * i)) & 0xff);
    return bytes + header;
  };
  check_refused(file_of(R"({"a":)" + std::string(megabyte, '[')), "nested too deep");
  check_refused(file_of(R"({"a":{"dtype":"F32","data_offsets":[0,0],"shape":[)" + times(500'000, "1,") + "1]}}"),
                "larger than the file", 64 * megabyte);
  check_refused(file_of(R"({"a":[)" + times(2'000'000, "0,") + "0]}"), "more than 1000000 values");
  std::string names = "{";
  for (int i = 0; i < 300'000; ++i) names.append("\"").append(std::to_string(i)).append("\":{},");
  check_refused(file_of(names.append("\"a\":1}")), "has no dtype", 128 * megabyte);
}

TEST_CASE("a pipe, a folder and a device are refused at once") {
  const TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const fs::path& path : {pipe, folder.path(), fs::path("/dev/zero")}) {
    CHECK_THROWS_WITH(Checkpoint(path), Contains("not a regular file"));
    CHECK_THROWS_WITH(NpyFile(path), Contains("not a regular file"));
  }
}

TEST_CASE("a number of steps that is none is refused") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.pt";
  StateDict state;
  state.add<float>("encoder.fc.weight", {1, 1}, {1});
  state.add<float>("opt.exp_avg.encoder.fc.weight", {1, 1}, {1});
  state.add<float>("opt.exp_avg_sq.encoder.fc.weight", {1, 1}, {1});
  for (const char* steps : {"1e30", "nan", "-1"}) {
    TorchCheckpointWriter({state.tensors().begin(), state.tensors().end()}, {{"opt.step", steps}}).write(path);
    CHECK_THROWS_WITH(Checkpoint(path), Contains("a.pt: the optimizer's number of steps"));
  }
}

TEST_CASE("text that is not UTF-8 cannot be written to safetensors") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.safetensors";
  CHECK_THROWS_AS(write_safetensors(path, {}, {{"key", "\xff"}}), Error);
  CHECK_THROWS_WITH(write_safetensors(path, {}, {{"\xff", "value"}}), Contains("a.safetensors") && Contains("UTF-8"));
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("safetensors are told from old pickles by more than their first byte") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "weights.bin";
  const std::vector<float> one = {1};
  std::string name = "w";
  do {
    name += "w";
    write_safetensors(path, std::vector{StoredTensor{name, DType::f32, {1}, std::as_bytes(std::span(one))}});
  } while (bytes_of(path)[0] != '\x80');
  CHECK(Checkpoint(path).at(name).as<float>() == one);
}
