#include "vjepa/core/params.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "vjepa/nn/block.hpp"

using namespace vjepa;
using Module = Block<8, 2, 24>;

TEST_CASE("parameters carry the names and shapes of the official state dict") {
  const ParamLayout layout{Module{}};
  std::vector<std::string> names;
  for (const auto& p : layout.params()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias",
                                          "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias",
                                          "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"});
  CHECK(layout.params()[2].shape == std::vector<Index>{24, 8});
}

TEST_CASE("decayed parameters come first, none overlap, all are aligned") {
  const ParamLayout layout{Module{}};
  std::vector<int> owner(static_cast<std::size_t>(layout.size()), -1);
  for (const auto& p : layout.params()) {
    CHECK(p.offset % ParamLayout::alignment == 0);
    CHECK((p.offset < layout.decayed_size()) == (p.shape.size() == 2));
    for (Index i = 0; i < p.size; ++i) {
      int& element = owner[static_cast<std::size_t>(p.offset + i)];
      CHECK(element == -1);
      element = 1;
    }
  }
}

TEST_CASE("parameters are counted at compile time") {
  STATIC_REQUIRE(count_params(Module{}) == 4 * 8 + (24 * 8 + 24) + (8 * 8 + 8) + (24 * 8 + 24) + (8 * 24 + 8));
}

TEST_CASE("binding points every view at its place") {
  const ParamLayout layout{Module{}};
  std::vector<float> arena(static_cast<std::size_t>(layout.size()));
  const auto params = layout.bind<float>(Module{}, arena.data());
  CHECK(params.norm1.weight.data() == arena.data() + layout.params()[0].offset);
  CHECK(params.mlp.fc2.bias.data() == arena.data() + layout.params()[11].offset);
}
