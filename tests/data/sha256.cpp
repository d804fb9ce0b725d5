#include "vjepa/data/sha256.hpp"

#include <string>

#include "catch.hpp"

using namespace vjepa;

namespace {

std::string digest_of(const std::string& text) {
  Sha256 sha;
  sha.add(text);
  return hex(sha.finish());
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(digest_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest_of(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes come") {
  const std::string text(300, 'x');
  Sha256 sha;
  for (std::size_t i = 0; i < text.size(); i += 7) sha.add(std::string_view(text).substr(i, 7));
  CHECK(hex(sha.finish()) == digest_of(text));
}
