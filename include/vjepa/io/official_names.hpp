#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vjepa/io/stored_tensor.hpp"

/// How the official trainer names and orders what it saves, against this library's names: `encoder.`,
/// `target_encoder.`, `predictor.` or `classifier.`, then the parameter; AdamW's moments under `opt.exp_avg.` and
/// `opt.exp_avg_sq.`, then the same. Without the name of a network, a file holds one network alone.
namespace vjepa::official {

inline constexpr std::array<std::string_view, 4> networks = {"encoder", "target_encoder", "predictor", "classifier"};
inline constexpr std::array<std::string_view, 2> moments = {"exp_avg", "exp_avg_sq"};

/// The network that a name begins with, its dot included, or nothing.
inline std::string_view network_of(std::string_view name) {
  for (const std::string_view network : networks) {
    if (name.size() > network.size() && name.starts_with(network) && name[network.size()] == '.') {
      return name.substr(0, network.size() + 1);
    }
  }
  return {};
}

/// Whether a name is that of fixed positions, which are saved with the parameters and never trained.
inline bool is_positions(std::string_view name) {
  return name == "pos_embed" || name == "predictor_pos_embed" || name.ends_with(".pos_embed") ||
         name.ends_with(".predictor_pos_embed");
}

/// A name without the wrappers of PyTorch and of the official code: `encoder.module.backbone.norm.bias` is
/// `encoder.norm.bias`.
inline std::string house_name(std::string_view name) {
  const auto unwrap = [](std::string_view inner) {
    for (;;) {
      const std::size_t before = inner.size();
      for (const std::string_view wrapper : {"module.", "backbone."}) {
        if (inner.starts_with(wrapper)) inner.remove_prefix(wrapper.size());
      }
      if (inner.size() == before) return inner;
    }
  };
  const std::string_view bare = unwrap(name);
  const std::string_view network = network_of(bare);
  return std::string(network) + std::string(unwrap(bare.substr(network.size())));
}

/// A name as the official trainer writes it inside of a network's dict.
inline std::string wrapped_name(std::string_view network, std::string_view name) {
  return (network == "classifier." ? "module." : "module.backbone.") + std::string(name);
}

/// Orders names as the official modules register their parameters.
inline bool registered_before(std::string_view a, std::string_view b) {
  static constexpr std::string_view order[] = {"pos_embed",
                                               "predictor_pos_embed",
                                               "query_tokens",
                                               "patch_embed",
                                               "predictor_embed",
                                               "mask_tokens",
                                               "pooler",
                                               "norm1",
                                               "attn",
                                               "xattn",
                                               "q",
                                               "qkv",
                                               "kv",
                                               "norm2",
                                               "mlp",
                                               "fc1",
                                               "fc2",
                                               "proj",
                                               "cross_attention_block",
                                               "blocks",
                                               "norm",
                                               "predictor_blocks",
                                               "predictor_norm",
                                               "predictor_proj",
                                               "linear",
                                               "weight",
                                               "bias"};
  const auto next = [](std::string_view& rest) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error == std::errc{} && end == part.data() + part.size()) return std::pair(number, std::string_view{});
    const auto place = std::find(std::begin(order), std::end(order), part) - std::begin(order);
    return std::pair(static_cast<std::size_t>(place), part);
  };
  while (!a.empty() && !b.empty()) {
    const auto first = next(a);
    const auto second = next(b);
    if (first != second) return first < second;
  }
  return a.size() < b.size();
}

/// The parameters of the official optimizer in the order of its state, by this library's names, in its parameter
/// groups: with weight decay those of each network, then without.
struct OptimizerGroups {
  std::vector<std::vector<std::string>> groups;

  /// Of the networks in `tensors`, which bear this library's names. `fixed_positions`: the official trainer hands its
  /// optimizer the fixed positions too, which then have a place in its first groups but no state.
  OptimizerGroups(const std::vector<StoredTensor>& tensors, bool fixed_positions) {
    std::map<std::string_view, std::vector<const StoredTensor*>> trained;
    for (const StoredTensor& tensor : tensors) {
      const std::string_view network = network_of(tensor.name);
      if (network.empty() || network == "target_encoder.") continue;
      if (fixed_positions || !is_positions(tensor.name)) trained[network].push_back(&tensor);
    }
    for (const bool decayed : {true, false}) {
      for (auto& [network, params] : trained) {  // by name: encoder before predictor
        std::sort(params.begin(), params.end(),
                  [&](const StoredTensor* a, const StoredTensor* b) { return registered_before(a->name, b->name); });
        std::vector<std::string>& group = groups.emplace_back();
        for (const StoredTensor* p : params) {
          const bool spared = p->shape.size() == 1 || p->name.find("bias") != std::string::npos;
          if (spared != decayed) group.push_back(p->name);
        }
      }
    }
  }
};

}  // namespace vjepa::official
