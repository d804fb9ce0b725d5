#include "vjepa/io/safetensors.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace vjepa;
using namespace vjepa::test;
namespace fs = std::filesystem;

namespace {

/// A file of this header and `data` zero bytes.
std::string file_of(const std::string& header, std::size_t data) {
  std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(data, '\0');
}

template <class T>
StoredTensor tensor(const std::string& name, std::vector<Index> shape, const std::vector<T>& values) {
  return {name, dtype_of<T>(), std::move(shape), std::as_bytes(std::span(values))};
}

}  // namespace

TEST_CASE("what is written to safetensors is read back, bit for bit") {
  const TemporaryFolder folder;
  const std::vector<float> f = {1.5f, -0.0f, 3e-40f, 7, 8, 9};
  const std::vector<float> none;
  const std::vector<float> one = {4};
  const std::vector<std::int64_t> i = {-1, std::int64_t{1} << 62};
  const std::vector<StoredTensor> tensors = {tensor("b", {2, 3}, f), tensor("a \"quoted\"", {2}, i),
                                             tensor("empty", {0, 4}, none), tensor("scalar", {}, one)};
  const fs::path path = folder.path() / "a.safetensors";
  write_safetensors(path, tensors, {{"key", "value"}});
  const SafetensorsFile file(path);
  REQUIRE(file.tensors().size() == 4);
  for (const StoredTensor& t : tensors) {
    CHECK(file.at(t.name).shape == t.shape);
    CHECK(file.at(t.name).dtype == t.dtype);
    CHECK(std::equal(t.bytes.begin(), t.bytes.end(), file.at(t.name).bytes.begin(), file.at(t.name).bytes.end()));
  }
  CHECK(file.metadata() == std::map<std::string, std::string>{{"key", "value"}});
  CHECK_THROWS_WITH(file.at("none"), Contains("no tensor 'none'"));
  CHECK_THROWS_WITH(write_safetensors(path, std::vector{tensors[0], tensors[0]}),
                    Contains("two tensors are named 'b'"));
}

TEST_CASE("a safetensors file of empty tensors alone is read") {
  const TemporaryFolder folder;
  const std::vector<float> none;
  write_safetensors(folder.path() / "a", std::vector{tensor("empty", {0, 4}, none), tensor("other", {5, 0, 9}, none)});
  CHECK(SafetensorsFile(folder.path() / "a").at("empty").shape == std::vector<Index>{0, 4});
  CHECK(SafetensorsFile(folder.path() / "a").at("other").shape == std::vector<Index>{5, 0, 9});
}

TEST_CASE("a safetensors file cut anywhere is refused") {
  const TemporaryFolder folder;
  const std::vector<float> values(40, 1.0f);
  write_safetensors(folder.path() / "whole", std::vector{tensor("a", {40}, values), tensor("b", {5, 8}, values)});
  const std::string whole = bytes_of(folder.path() / "whole");
  const fs::path path = folder.path() / "cut";
  for (std::size_t part = 0; part < 50; ++part) {
    write_bytes(path, whole.substr(0, whole.size() * part / 50));
    CHECK_THROWS_AS(SafetensorsFile(path), Error);
  }
}

TEST_CASE("a safetensors file that lies is refused, saying where") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "bad.safetensors";
  const auto refused = [&](const std::string& bytes, const std::string& message) {
    INFO(message);
    write_bytes(path, bytes);
    CHECK_THROWS_WITH(SafetensorsFile(path), Contains("bad.safetensors") && Contains(message));
  };
  refused("", "the file is empty");
  refused("abc", "shorter than a header");
  refused(std::string(16, '\xff'), "the header says it is 18446744073709551615 bytes long");
  refused(file_of("[1, 2]", 0), "the header is not a JSON object");
  refused(file_of("{\"a\": ", 0), "the header is not a JSON object");
  refused(file_of(R"({"a": 3})", 0), "tensor 'a' has no dtype");
  refused(file_of(R"({"a": {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}})", 4), "unknown dtype \"F33\"");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", 4), "not a list of sizes");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]}})", 4), "not a list of sizes");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [{}], "data_offsets": [0, 4]}})", 4), "nested too deep");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}})", 4), "not a list of sizes");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [9223372036854775808, 2], "data_offsets": [0, 4]}})", 4),
          "is larger than the file");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}})", 8),
          "is larger than the file");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}})", 4), "lies at bytes 4 to 0 of 4");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}})", 4), "lies at bytes 0 to 8 of 4");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}})", 4), "that are not two numbers");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}})", 8), "wants 8 bytes and has 4");
  refused(file_of(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                      "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})",
                  8),
          "tensors 'a' and 'b' overlap");
  refused(file_of(R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                      "a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}})",
                  2),
          "two tensors are named 'a'");
  refused(file_of(R"({"__metadata__": {"a": 1}})", 0), "__metadata__ 'a' is not a string");
  refused(file_of("[[[[", 0), "nested too deep");
  refused(file_of(R"({"a": {"shape": [[1]]}})", 0), "nested too deep");
  refused(file_of(R"({"a": {"b": {"c": {}}}})", 0), "nested too deep");
}
