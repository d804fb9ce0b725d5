#include "vjepa/io/checkpoint.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/io/torch_checkpoint.hpp"
#include "vjepa/nn/linear.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void check_same(const std::vector<StoredTensor>& got, const std::vector<StoredTensor>& want) {
  REQUIRE(got.size() == want.size());
  for (const StoredTensor& tensor : want) {
    INFO(tensor.name);
    const auto found = std::ranges::find(got, tensor.name, &StoredTensor::name);
    REQUIRE(found != got.end());
    CHECK(found->dtype == tensor.dtype);
    CHECK(found->shape == tensor.shape);
    CHECK(std::ranges::equal(found->bytes, tensor.bytes));
  }
}

/// A pretraining checkpoint of two parameters a network, with moments.
StateDict small_run() {
  StateDict state;
  float next = 0.1f;
  const auto values = [&](std::size_t n) {
    std::vector<float> all(n);
    for (float& x : all) x = next *= 1.1f;
    return all;
  };
  for (const std::string prefix : {"encoder.", "target_encoder.", "predictor."}) {
    state.add(prefix + "norm.weight", {3}, values(3));
    state.add(prefix + "blocks.10.attn.qkv.weight", {2, 3}, values(6));
    state.add(prefix + "blocks.2.attn.qkv.weight", {2, 3}, values(6));
    state.add(prefix + (prefix == "predictor." ? "predictor_pos_embed" : "pos_embed"), {1, 2, 3}, values(6));
    if (prefix == "target_encoder.") continue;
    for (const std::string moment : {"opt.exp_avg.", "opt.exp_avg_sq."}) {
      state.add(moment + prefix + "norm.weight", {3}, values(3));
      state.add(moment + prefix + "blocks.10.attn.qkv.weight", {2, 3}, values(6));
      state.add(moment + prefix + "blocks.2.attn.qkv.weight", {2, 3}, values(6));
    }
  }
  return state;
}

std::vector<StoredTensor> listed(const StateDict& state) {
  return {state.tensors().begin(), state.tensors().end()};
}

/// The bytes of a pickle that `opcodes` ends, in the archive torch.save would make.
void write_pickle(const fs::path& path, const std::string& opcodes,
                  const std::string& storage = std::string(16, '\1')) {
  ZipWriter zip(path);
  zip.add("x/data.pkl", "\x80\x02" + opcodes + ".");
  zip.add("x/data/0", storage);
  zip.commit();
}

/// Opcodes of the dict {"w": tensor of the float storage "0" with `numel`, offset, shape, strides}.
std::string tensor_pickle(std::int64_t numel, std::int64_t offset, const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  const auto string = [](const std::string& s) {
    return std::string("X") + static_cast<char>(s.size()) + std::string(3, '\0') + s;
  };
  const auto number = [](std::int64_t n) {
    std::string s = "\x8a\x08";
    for (int i = 0; i < 8; ++i) s += static_cast<char>((static_cast<std::uint64_t>(n) >> (8 * i)) & 0xff);
    return s;
  };
  const auto tuple = [&](const std::vector<std::int64_t>& numbers) {
    std::string s = "(";
    for (const std::int64_t n : numbers) s += number(n);
    return s + "t";
  };
  return "}" + string("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + string("storage") + "ctorch\nFloatStorage\n" +
         string("0") + string("cpu") + number(numel) + "tQ" + number(offset) + tuple(shape) + tuple(strides) +
         "\x89}tRs";
}

}  // namespace

TEST_CASE("every type of tensor goes through PyTorch's format and back") {
  const TemporaryFolder folder;
  StateDict state;
  state.add<double>("a", {2}, {1.5, -2});
  state.add<float>("b", {1, 3}, {1, 2, std::numeric_limits<float>::infinity()});
  state.add<bf16>("c", {2}, {bf16(1.0f), bf16(-3.0f)});
  state.add<std::int64_t>("d", {2}, {INT64_MIN, INT64_MAX});
  state.add<std::int32_t>("e", {1}, {-7});
  state.add<std::int16_t>("f", {1}, {300});
  state.add<std::int8_t>("g", {1}, {-1});
  state.add<std::uint8_t>("h", {3}, {0, 127, 255});
  state.add<float>("scalar", {}, {3});
  state.add<float>("empty", {0, 4}, {});
  TorchCheckpointWriter(listed(state), {{"model", "tiny"}}).write(folder.path() / "x.pth");
  const Checkpoint read(folder.path() / "x.pth");
  check_same(read.tensors(), listed(state));
  CHECK(read.metadata("model") == "tiny");
}

TEST_CASE("a run goes through the official layout and back, its optimizer by name") {
  const TemporaryFolder folder;
  const StateDict state = small_run();
  const std::map<std::string, std::string> metadata = {{"epoch", "4"}, {"opt.step", "120"}, {"meta.seed", "1"}};
  TorchCheckpointWriter(listed(state), metadata).write(folder.path() / "run.pth.tar");
  const Checkpoint read(folder.path() / "run.pth.tar");
  check_same(read.tensors(), listed(state));
  for (const auto& [key, value] : metadata) CHECK(read.metadata(key) == value);

  // As the official code nests and numbers it: block 2 before block 10, no state for the positions.
  const TorchFile raw(folder.path() / "run.pth.tar");
  std::vector<std::string> names;
  for (const StoredTensor& tensor : raw.tensors()) names.push_back(tensor.name);
  CHECK(names[0] == "encoder.module.backbone.pos_embed");
  CHECK(names[1] == "encoder.module.backbone.blocks.2.attn.qkv.weight");
  CHECK(names[2] == "encoder.module.backbone.blocks.10.attn.qkv.weight");
  CHECK(std::ranges::count(names, "opt.state.0.exp_avg") == 0);
  CHECK(std::ranges::count(names, "opt.state.1.exp_avg") == 1);
}

TEST_CASE("what a run of this library counts stands where the official trainer looks") {
  const TemporaryFolder folder;
  const StateDict state = small_run();
  TorchCheckpointWriter(listed(state), {{"steps", "7"}, {"optimization.ipe", "3"}, {"data.batch_size", "5"}})
      .write(folder.path() / "run.pth.tar");
  const TorchFile raw(folder.path() / "run.pth.tar");
  CHECK(raw.metadata().at("epoch") == "2");
  CHECK(raw.metadata().at("batch_size") == "5");
  const auto step = std::ranges::find(raw.tensors(), "opt.state.1.step", &StoredTensor::name);
  REQUIRE(step != raw.tensors().end());
  CHECK(step->as<float>() == std::vector<float>{7});
}

TEST_CASE("deflated archives and strided tensors are read") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.pt";
  std::string storage(24, '\0');
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  std::memcpy(storage.data(), values.data(), 24);

  write_pickle(path, tensor_pickle(6, 0, {3, 2}, {1, 3}), storage);  // the transpose of [2, 3]
  CHECK(Checkpoint(path).at("w").as<float>() == std::vector<float>{0, 3, 1, 4, 2, 5});
  write_pickle(path, tensor_pickle(6, 2, {2}, {3}), storage);
  CHECK(Checkpoint(path).at("w").as<float>() == std::vector<float>{2, 5});

  if (std::system("python3 -c 'import zipfile' 2>/dev/null") != 0) VJEPA_SKIP("no Python to pack a zip archive with");
  const std::string script =
      "python3 -c \"import zipfile as z,sys; a=z.ZipFile(sys.argv[1]); b=z.ZipFile(sys.argv[2],'w',z.ZIP_DEFLATED); "
      "[b.writestr(n,a.read(n)) for n in a.namelist()]; b.close()\" '" +
      path.string() + "' '" + path.string() + ".zip'";
  REQUIRE(std::system(script.c_str()) == 0);
  CHECK(Checkpoint(path.string() + ".zip").at("w").as<float>() == std::vector<float>{2, 5});
}

TEST_CASE("tensors that do not fit their storage are refused") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.pt";
  const auto refused = [&](const std::string& opcodes, const std::string& message) {
    write_pickle(path, opcodes);
    CHECK_THROWS_WITH(Checkpoint(path), Contains("x.pt") && Contains(message));
  };
  const std::int64_t huge = INT64_MAX;
  refused(tensor_pickle(5, 0, {5}, {1}), "16 bytes and should have 5 elements");
  refused(tensor_pickle(-1, 0, {1}, {1}), "16 bytes and should have -1 elements");
  refused(tensor_pickle(4, 5, {1}, {1}), "begins outside its storage");
  refused(tensor_pickle(4, -1, {1}, {1}), "begins outside its storage");
  refused(tensor_pickle(4, 0, {5}, {1}), "larger than its storage");
  refused(tensor_pickle(4, 1, {4}, {1}), "reaches beyond its storage");
  refused(tensor_pickle(4, 4, {1}, {1}), "reaches beyond its storage");
  refused(tensor_pickle(4, 0, {huge}, {huge}), "reaches beyond its storage");
  refused(tensor_pickle(4, 0, {huge, huge, huge}, {0, 0, 0}), "larger than its storage");
  refused(tensor_pickle(4, 0, {2, 4}, {0, 1}), "larger than its storage");
  refused(tensor_pickle(4, 0, {-1}, {1}), "negative size");
  refused(tensor_pickle(4, 3, {4}, {-1}), "negative stride");
  refused(tensor_pickle(4, 0, {2, 2}, {1}), "not as many strides as dimensions");
}

TEST_CASE("pickles that are not checkpoints are refused, and nothing in them is run") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.pt";
  const auto refused = [&](const std::string& opcodes, const std::string& message) {
    INFO(message);
    write_pickle(path, opcodes);
    CHECK_THROWS_WITH(Checkpoint(path), Contains("x.pt") && Contains(message));
  };
  const fs::path trace = folder.path() / "trace";
  const std::string command = "touch " + trace.string();
  refused("cos\nsystem\n(X" + std::string(1, static_cast<char>(command.size())) + std::string(3, '\0') + command + "tR",
          "asks for 'os.system'");
  CHECK_FALSE(fs::exists(trace));
  refused("c__builtin__\neval\n)R", "asks for '__builtin__.eval'");
  refused("cos\nsystem\n", "'' is neither tensor, number nor text");
  refused("i__builtin__\nexit\n", "opcode 105");
  refused("\x82\x01", "opcode 130");
  refused("}}\x81", "save the module's state_dict()");
  refused("h\x05", "never kept");
  refused("0", "a value is missing");
  refused("t", "a mark is missing");
  refused("(Ns", "a value is missing");
  refused("]NNs", "cannot hold them");
  refused("]q\1h\1a", "holds itself");
  refused("]q\1]h\1ah\1Na", "changes after");
  refused("}(NNNu", "cannot hold them");
  refused("\x8a\x09" + std::string(9, 'x'), "more than 64 bits");
  refused("X\xff\xff\xff\x7f", "cut short");
  refused(std::string(100, ']') + std::string(99, 'a'), "nested deeper");
  refused("ctorch\nQUInt8Storage\n", "neither tensor");

  // Lists of lists of the same list: few bytes that stand for 10^18 values.
  std::string bomb = "]q";
  bomb += '\0';
  bomb += "(" + std::string(30, 'N') + "e";
  for (char i = 1; i <= 12; ++i) {
    bomb += std::string("](");
    for (int k = 0; k < 30; ++k) bomb += std::string("h") + static_cast<char>(i - 1);
    bomb += std::string("eq") + i;
  }
  refused(bomb, "more than 100000 values");
}

TEST_CASE("damaged archives are refused") {
  const TemporaryFolder folder;
  const auto good = folder.path() / "good.pth.tar";
  const auto bad = folder.path() / "bad.pth.tar";
  TorchCheckpointWriter(listed(small_run()), {}).write(good);
  const std::string bytes = contents(good);

  SECTION("cut short") {
    for (std::size_t part = 1; part < 50; ++part) {
      put_file(bad, bytes.substr(0, bytes.size() * part / 50));
      CHECK_THROWS_WITH(Checkpoint(bad), Contains("bad.pth.tar") && Contains("cut short"));
    }
  }
  SECTION("single bytes changed: an error or a result, never a crash") {
    Random random({.seed = 7, .purpose = Purpose::init, .epoch = 0, .sample = 0});
    for (int i = 0; i < 2000; ++i) {
      std::string changed = bytes;
      // The directory and the pickle are where it hurts.
      const std::size_t half = changed.size() / 2;
      const std::size_t at = static_cast<std::size_t>(random.uniform() * static_cast<double>(half)) + (i % 2) * half;
      changed[at] = static_cast<char>(random.uniform() * 256);
      put_file(bad, changed);
      try {
        (void)Checkpoint(bad);
      } catch (const Error& e) {
        CHECK(std::string(e.what()).find("bad.pth.tar") != std::string::npos);
      }
    }
  }
  SECTION("other kinds of file") {
    put_file(bad, "");
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("empty"));
    put_file(bad,
             "\x80\x02\x8a\nl\xfc\x9c"
             "F\xf9 j\xa8P\x19.");
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("before 1.6") && Contains("torch.save"));
    CHECK_THROWS_WITH(Checkpoint(folder.path() / "none.pt"), Contains("none.pt: cannot open"));
    put_file(bad, "a list of labels\nand no weights\n");
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("is no checkpoint"));
    ZipWriter zip(bad);
    zip.add("x/weights", "1");
    zip.commit();
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("no data.pkl"));
  }
  SECTION("big-endian and TorchScript files") {
    for (const auto& [name, data, message] :
         {std::tuple("x/byteorder", "big", "little-endian"), std::tuple("x/constants.pkl", "", "TorchScript")}) {
      ZipWriter zip(bad);
      zip.add("x/data.pkl", "\x80\x02}.");
      zip.add(name, data);
      zip.commit();
      CHECK_THROWS_WITH(Checkpoint(bad), Contains(message));
    }
  }
  SECTION("entries that share bytes, and names used twice") {
    ZipWriter zip(bad);
    zip.add("x/data.pkl", "\x80\x02}.");
    zip.add("x/data.pkl", "\x80\x02}.");
    zip.commit();
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("two entries are named"));
    std::string shared = contents(good);
    // The second directory entry is pointed at the first one's data.
    const std::size_t first = shared.find("PK\1\2");
    const std::size_t second = shared.find("PK\1\2", first + 4);
    const std::size_t sizes = 20;
    shared.replace(second + sizes, 8, shared, first + sizes, 8);
    shared.replace(second + 42, 4, shared, first + 42, 4);
    put_file(bad, shared);
    CHECK_THROWS_WITH(Checkpoint(bad), Contains("share their bytes"));
  }
}

TEST_CASE("an archive that unpacks to enormous sizes is refused before it is unpacked") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "bomb.pt";
  const std::string script =
      "python3 -c \"import zipfile as z,sys; b=z.ZipFile(sys.argv[1],'w',z.ZIP_DEFLATED); "
      "b.writestr('x/data.pkl',bytes(10**8)); b.close()\" '" +
      path.string() + "'";
  if (std::system(script.c_str()) != 0) VJEPA_SKIP("no Python to pack a zip archive with");
  CHECK(fs::file_size(path) < 200'000);
  CHECK_THROWS_WITH(Checkpoint(path), Contains("claims to unpack"));
}

TEST_CASE("names without wrappers") {
  CHECK(official::house_name("encoder.module.backbone.norm.bias") == "encoder.norm.bias");
  CHECK(official::house_name("module.backbone.blocks.0.attn.qkv.weight") == "blocks.0.attn.qkv.weight");
  CHECK(official::house_name("module.encoder.norm.bias") == "encoder.norm.bias");
  CHECK(official::house_name("classifier.module.linear.weight") == "classifier.linear.weight");
  CHECK(official::house_name("norm.bias") == "norm.bias");
}

TEST_CASE("a value that float16 cannot hold is refused by the name of its tensor") {
  const std::vector<float> values{1, 65504, -1e6f};
  const StoredTensor tensor{
      .name = "norm.weight", .dtype = DType::f32, .shape = {3}, .bytes = std::as_bytes(std::span(values))};
  StateDict dict;
  CHECK_THROWS_WITH(dict.add_rounded(tensor, DType::f16), Contains("'norm.weight' holds -1e+06"));
  CHECK_NOTHROW(dict.add_rounded(tensor, DType::bf16));
}

TEST_CASE("a strict load says what does not fit") {
  using Module = Linear<3, 2>;
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.safetensors";
  const ParamLayout layout(Module{});
  StateDict state;
  state.add<float>("encoder.module.weight", {2, 4}, std::vector<float>(8));
  state.add<float>("encoder.module.scale", {2}, {1, 2});
  write_safetensors(path, state.tensors());
  const Checkpoint file(path);
  CHECK(file.encoder_prefix("target_encoder") == "encoder.");
  CHECK_THROWS_WITH(read_params<float>(file, "encoder.", layout),
                    Contains("x.safetensors") && Contains("missing: encoder.bias [2]") &&
                        Contains("unexpected: encoder.scale [2]") &&
                        Contains("other shape: encoder.weight is [2, 4], the model wants [2, 3]"));
  std::vector<float> arena(static_cast<std::size_t>(layout.size()), 5.0f);
  read_matching_params(file, "encoder.", layout, arena);
  CHECK(arena[0] == 5.0f);
}

TEST_CASE("float16 rounds to nearest, ties to even, and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (value != value) continue;
    REQUIRE(float_to_half(value) == half);
    // Halfway to the next is a tie.
    const float next = half_to_float(static_cast<std::uint16_t>(half + 1));
    if ((bits & 0x7fffu) >= 0x7bffu) continue;
    const auto even = static_cast<std::uint16_t>((bits & 1u) == 0 ? half : half + 1);
    REQUIRE(float_to_half((value + next) / 2) == even);
  }
  CHECK(float_to_half(65519.0f) == 0x7bff);
  CHECK(float_to_half(65520.0f) == 0x7c00);
  CHECK(float_to_half(-1e30f) == 0xfc00);
  CHECK(float_to_half(1e-30f) == 0);
}
