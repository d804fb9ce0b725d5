#pragma once

#include <cstddef>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// Every token of a batch, on the host: [batch, tokens, dim].
template <Device D>
std::vector<float> all_tokens(Context<D>& ctx, Seq<const Scalar<D>> tokens) {
  std::vector<Scalar<D>> host(static_cast<std::size_t>(tokens.size()));
  D::download(ctx, tokens.data(), host.data(), host.size() * sizeof(Scalar<D>));
  return {host.begin(), host.end()};
}

/// The mean over the tokens of each element of a batch, on the host: [batch, dim].
template <Device D>
std::vector<float> mean_tokens(Context<D>& ctx, Seq<const Scalar<D>> tokens) {
  const Index batch = tokens.extent(0);
  const Index dim = tokens.extent(2);
  Array<D, Grad<D>> sums(ctx, batch * dim);
  for (Index b = 0; b < batch; ++b) D::sum_tokens(ctx, tokens.slice(b, 1), sums.view().slice(b * dim, dim));
  std::vector<float> means;
  for (const Grad<D> sum : sums.download(ctx)) {
    means.push_back(static_cast<float>(sum / static_cast<Grad<D>>(tokens.extent(1))));
  }
  return means;
}

}  // namespace vjepa
