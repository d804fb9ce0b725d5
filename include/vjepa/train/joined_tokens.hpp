#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/nn/positions.hpp"

namespace vjepa {

/// How the clips of one video become the sequences that a classifier reads, as the official ClipAggregation does: each
/// clip by itself, or, attending across segments, all segments of a view as one sequence, to which positions over the
/// numbers of the frames may be added.
struct JoinedTokens {
  TokenGrid grid;  // of a clip
  Index segments = 1;
  Index views = 1;
  Index tubelet = 2;    // frames a token spans
  bool attend = false;  // across segments
  bool positions = false;

  /// Sequences of one video.
  Sequences sequences() const {
    return attend ? Sequences{.batch = views, .tokens = segments * grid.size()}
                  : Sequences{.batch = segments * views, .tokens = grid.size()};
  }

  /// Overwrites out [sequences().batch, sequences().tokens, dim] with tokens [segments * views, grid.size(), dim], the
  /// views of a segment together, of a video whose clips read the frames `numbers`, [segments, frames].
  template <Device D>
  void operator()(Context<D>& ctx, Seq<const Scalar<D>> tokens, std::span<const Index> numbers,
                  Seq<Scalar<D>> out) const {
    if (!attend) return D::copy_tokens(ctx, tokens, out);
    for (Index s = 0; s < segments; ++s) {
      D::copy_tokens(ctx, tokens.slice(s * views, views), out.tokens(s * grid.size(), grid.size()));
    }
    if (positions) add_positions<D>(ctx, numbers, out);
  }

 private:
  template <Device D>
  void add_positions(Context<D>& ctx, std::span<const Index> numbers, Seq<Scalar<D>> out) const {
    std::vector<double> rows;
    for (std::size_t i = 0; i < numbers.size(); i += static_cast<std::size_t>(tubelet)) {
      detail::append_sincos(static_cast<double>(numbers[i]), out.cols(), rows);
    }
    std::vector<std::int32_t> idx;
    for (Index v = 0; v < views; ++v) {
      for (Index i = 0; i < segments * grid.size(); ++i) {
        idx.push_back(static_cast<std::int32_t>(i / (grid.height * grid.width)));
      }
    }
    const Array<D, Grad<D>> table(ctx, std::vector<Grad<D>>(rows.begin(), rows.end()));
    const Array<D, std::int32_t> places(ctx, idx);
    D::add_positions(ctx, Mat<const Grad<D>>(table.data(), segments * grid.depth, out.cols()),
                     TokenIndices(places.data(), views, segments * grid.size()), out);
    D::synchronize(ctx);  // the table ends here
  }
};

}  // namespace vjepa
