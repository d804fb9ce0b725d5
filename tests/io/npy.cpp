#include "vjepa/io/npy.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

namespace {

/// A file of format 1.0 with this header and `data` zero bytes.
std::string file_of(const std::string& header, std::size_t data) {
  std::string bytes = "\x93NUMPY\1";
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + std::string(data, '\0');
}

template <class T>
StoredTensor tensor(std::vector<Index> shape, const std::vector<T>& values) {
  return {"", dtype_of<T>(), std::move(shape), std::as_bytes(std::span(values))};
}

void check_round_trip(const fs::path& path, const StoredTensor& want) {
  INFO(name_of(want.dtype) << " " << shape_text(want.shape));
  write_npy(path, want);
  const NpyFile file(path);
  CHECK(file.tensor().dtype == want.dtype);
  CHECK(file.tensor().shape == want.shape);
  CHECK(std::ranges::equal(file.tensor().bytes, want.bytes));
  CHECK((fs::file_size(path) - want.bytes.size()) % 64 == 0);
}

}  // namespace

TEST_CASE("every type goes through npy and back") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.npy";
  const std::vector<float> values = {1.5f, -0.0f, 3e-40f, 7, 8, 9};
  check_round_trip(path, tensor<float>({2, 3}, values));
  check_round_trip(path, tensor<float>({6}, values));
  check_round_trip(path, tensor<float>({1, 1, 6, 1}, values));
  check_round_trip(path, tensor<float>({}, {3}));
  check_round_trip(path, tensor<float>({0, 4}, {}));
  check_round_trip(path, tensor<double>({2}, {1.5, -2}));
  check_round_trip(path, tensor<std::int64_t>({2}, {INT64_MIN, INT64_MAX}));
  check_round_trip(path, tensor<std::int32_t>({1}, {-7}));
  check_round_trip(path, tensor<std::int16_t>({1}, {300}));
  check_round_trip(path, tensor<std::int8_t>({1}, {-1}));
  check_round_trip(path, tensor<std::uint8_t>({3}, {0, 127, 255}));
  const std::vector<std::int16_t> bits = {0x3c00, 0x7bff};
  StoredTensor half = tensor({2}, bits);
  half.dtype = DType::f16;
  check_round_trip(path, half);
  const std::vector<std::uint8_t> no_and_yes = {0, 1};
  StoredTensor flags = tensor({2}, no_and_yes);
  flags.dtype = DType::boolean;
  check_round_trip(path, flags);
  CHECK_THROWS_WITH(write_npy(path, tensor<bf16>({1}, {bf16(1.0f)})), Contains("a.npy: npy has no bfloat16"));
}

TEST_CASE("a stream of rows becomes an npy file when it ends") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "rows.npy";
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto bytes = std::as_bytes(std::span(rows));
  {
    NpyWriter writer(path, DType::f32, {2});
    writer.append(bytes);
  }
  CHECK_FALSE(fs::exists(path));

  NpyWriter writer(path, DType::f32, {2});
  writer.append(bytes.first(8));
  writer.append(bytes.subspan(8));
  CHECK(writer.rows() == 4);
  CHECK_THROWS_WITH(writer.append(bytes.first(4)), Contains("rows.npy: 4 bytes are no whole rows of 8"));
  writer.commit();
  CHECK(NpyFile(path).tensor().shape == std::vector<Index>{4, 2});
  CHECK(NpyFile(path).tensor().as<float>() == rows);

  NpyWriter none(path, DType::i64, {});
  none.commit();
  CHECK(NpyFile(path).tensor().shape == std::vector<Index>{0});

  CHECK_THROWS_WITH(NpyWriter(path, DType::f32, {3, 0}), Contains("cannot hold rows of shape [3, 0]"));
  CHECK_THROWS_WITH(NpyWriter(path, DType::bf16, {3}), Contains("npy has no bfloat16"));
}

TEST_CASE("npy headers of other writers are read") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.npy";
  const auto shape_of = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return NpyFile(path).tensor().shape;
  };
  CHECK(shape_of(file_of("{'shape':(2,),'fortran_order':False,'descr':\"<f4\"}", 8)) == std::vector<Index>{2});
  CHECK(shape_of(file_of(" { 'shape' : ( 2 , 1 ) , 'descr' : '<f4' , 'fortran_order' : False } \n", 8)) ==
        std::vector<Index>{2, 1});
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n";
  for (const char version : {'\2', '\3'}) {
    std::string bytes = "\x93NUMPY";
    bytes += version;
    bytes += '\0';
    bytes += static_cast<char>(header.size());
    bytes += std::string(3, '\0');
    CHECK(shape_of(bytes + header + "abc") == std::vector<Index>{3});
  }
}

TEST_CASE("an npy file cut anywhere is refused") {
  const TemporaryFolder folder;
  const std::vector<float> values(40, 1.0f);
  write_npy(folder.path() / "whole", tensor<float>({5, 8}, values));
  const std::string whole = bytes_of(folder.path() / "whole");
  const fs::path path = folder.path() / "cut.npy";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_bytes(path, whole.substr(0, size));
    CHECK_THROWS_WITH(NpyFile(path), Contains("cut.npy"));
  }
}

TEST_CASE("an npy file that lies or cannot be read is refused, saying why") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "bad.npy";
  const auto refused = [&](const std::string& bytes, const std::string& message) {
    INFO(message);
    write_bytes(path, bytes);
    CHECK_THROWS_AS(NpyFile(path), Error);
    CHECK_THROWS_WITH(NpyFile(path), Contains("bad.npy") && Contains(message));
  };
  const auto entries = [](const std::string& descr, const std::string& order, const std::string& shape) {
    return file_of("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n", 8);
  };
  refused("PK\3\4 and more bytes", "does not begin as one");
  refused("\x93NUMPY", "shorter than a header");
  refused("\x93NUMPY\4" + std::string(100, '\0'), "format version is unknown");
  refused("\x93NUMPY\2" + std::string(1, '\0') + "\xff\xff\xff\xff{", "4294967295 bytes long");
  refused(entries("'<f4'", "True", "(2,)"), "Fortran order");
  refused(entries("'<f4'", "0", "(2,)"), "no 'False'");
  refused(entries("'>f4'", "False", "(2,)"), "big-endian");
  refused(entries("'|O'", "False", "(2,)"), "Python objects");
  refused(entries("[('x', '<f4')]", "False", "(2,)"), "records");
  refused(entries("'<c8'", "False", "(1,)"), "of the type '<c8'");
  refused(entries("'<f4", "False", "(2,)"), "of the type '<f4, '");
  refused(entries("'<f4'", "False", "(3,)"), "takes more than its 8 bytes");
  refused(entries("'<f4'", "False", "(1,)"), "takes 4 bytes, the file has 8");
  refused(entries("'<f4'", "False", "(0,)"), "takes 0 bytes, the file has 8");
  refused(entries("'<f4'", "False", "(9223372036854775808,)"), "more than 63 bits");
  refused(entries("'<f4'", "False", "(9223372036854775807, 2)"), "takes more than its 8 bytes");
  refused(entries("'<f4'", "False", "(4294967296, 4294967296, 4)"), "takes more than its 8 bytes");
  refused(entries("'<f4'", "False", "(-2, -1)"), "not a tuple of sizes");
  refused(entries("'<f4'", "False", "(1.5,)"), "no ','");
  refused(entries("'<f4'", "False", "(len('ab'),)"), "not a tuple of sizes");
  refused(entries("'<f4'", "False", "2"), "no '('");
  refused(entries("'<f4'", "False", std::string(1000, '(')), "not a tuple of sizes");
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1,";
  refused(entries("'<f4'", "False", many + ")"), "more than 64 dimensions");
  refused(file_of("", 8), "no '{'");
  refused(file_of("{}", 8), "lacks one of");
  refused(file_of("{'descr': '<f4', 'descr': '<f4'}", 8), "'descr' twice");
  refused(file_of("{'descr': '<f4', 'more': 1}", 8), "unknown entry 'more'");
  refused(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + {}", 8), "goes on after the '}'");
  refused(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8), "no ','");
}
