#pragma once

#include <span>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/train/any_frozen_encoder.hpp"
#include "vjepa/train/joined_tokens.hpp"

namespace vjepa {

/// Sequences of tokens for a classifier, joined on the device from those of clips, sample by sample.
template <Device D>
class ProbeTokens {
 public:
  ProbeTokens(Context<D>& ctx, Index dim) : ctx_(&ctx), dim_(dim) {}

  /// Makes room for so many samples, each joined in this way.
  void begin(const JoinedTokens& joined, Index samples) {
    joined_ = joined;
    samples_ = samples;
    const Index size = samples * joined_.sequences().rows() * dim_;
    if (tokens_.size() != size) tokens_ = Array<D, Scalar<D>>(*ctx_, size);
  }

  /// Joins the tokens [clips, tokens, dim] of sample `b`, whose clips read the frames `numbers`.
  void put(Index b, Seq<const Scalar<D>> tokens, std::span<const Index> numbers) {
    const Sequences one = joined_.sequences();
    const Seq<Scalar<D>> joined(tokens_.data() + b * one.rows() * dim_, one.batch, one.tokens, dim_);
    joined_.template operator()<D>(*ctx_, tokens, numbers, joined);
  }

  /// The same for tokens that lie on the host.
  void put(Index b, const ViewFeatures& features) {
    const auto size = static_cast<Index>(features.tokens.size() / sizeof(Scalar<D>));
    if (staged_.size() != size) staged_ = Array<D, Scalar<D>>(*ctx_, size);
    D::upload(*ctx_, features.tokens.data(), staged_.data(), features.tokens.size());
    const Index tokens = joined_.grid.size();
    put(b, Seq<const Scalar<D>>(staged_.data(), size / (tokens * dim_), tokens, dim_), features.numbers);
  }

  /// All that was put: [samples * sequences, tokens, dim].
  Seq<const Scalar<D>> all() const {
    const Sequences one = joined_.sequences();
    return Seq<const Scalar<D>>(tokens_.data(), samples_ * one.batch, one.tokens, dim_);
  }

 private:
  Context<D>* ctx_;
  Index dim_;
  JoinedTokens joined_;
  Index samples_ = 0;
  Array<D, Scalar<D>> tokens_;
  Array<D, Scalar<D>> staged_;
};

}  // namespace vjepa
