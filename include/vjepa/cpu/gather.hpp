#pragma once

#include <algorithm>
#include <cassert>

#include "vjepa/core/device.hpp"
#include "vjepa/cpu/context.hpp"
#include "vjepa/cpu/math.hpp"
#include "vjepa/cpu/rows.hpp"

namespace vjepa::cpu {

template <class S>
struct Gather {
  using T = Grad<S>;

  static void patchify(Context& ctx, Clips<const S> clips, Tubelet box, TokenIndices idx, Mat<S> patches) {
    const Index channels = clips.extent(1);
    const Index frames = clips.extent(2);
    const Index height = clips.extent(3);
    const Index width = clips.extent(4);
    const Index across = width / box.width;
    const Index per_frame = height / box.height * across;
    const Index kept = idx.cols();
    assert(patches.cols() == channels * box.frames * box.height * box.width);
    parallel_chunks(ctx, idx.rows() * kept, 8, [&](Range r, Index, int) {
      for (Index token = r.begin; token < r.end; ++token) {
        const Index b = token / kept;
        const Index i = idx(b, token % kept);
        const Index t = i / per_frame * box.frames;
        const Index y = i % per_frame / across * box.height;
        const Index x = i % across * box.width;
        S* out = patches.row(token);
        for (Index c = 0; c < channels; ++c) {
          for (Index dt = 0; dt < box.frames; ++dt) {
            for (Index dy = 0; dy < box.height; ++dy) {
              const Index line = ((b * channels + c) * frames + t + dt) * height + y + dy;
              const S* in = clips.data() + line * width + x;
              for (Index dx = 0; dx < box.width; ++dx) *out++ = in[dx];
            }
          }
        }
      }
    });
  }

  static void add_positions(Context& ctx, Mat<const T> table, TokenIndices idx, Seq<S> x) {
    each_token(ctx, x, [&](Index b, Index i, S* out, Index n) {
      const T* position = table.row(idx(b, i));
      for (Index j = 0; j < n; ++j) out[j] = T(out[j]) + position[j];
    });
  }

  static void gather_tokens(Context& ctx, Seq<const S> source, TokenIndices idx, Seq<S> x) {
    each_token(ctx, x, [&](Index b, Index i, S* out, Index n) {
      const S* in = source.row(b) + idx(b, i) * n;
      std::copy(in, in + n, out);
    });
  }

  static void copy_tokens(Context& ctx, Seq<const S> source, Seq<S> x) {
    each_token(ctx, x, [&](Index b, Index i, S* out, Index n) {
      const S* in = source.row(b) + i * n;
      std::copy(in, in + n, out);
    });
  }

  static void add_tokens(Context& ctx, Seq<const S> source, Seq<S> x) {
    each_token(ctx, x, [&](Index b, Index i, S* out, Index n) {
      const S* in = source.row(b) + i * n;
      for (Index j = 0; j < n; ++j) out[j] = T(out[j]) + T(in[j]);
    });
  }

  static void fill_tokens(Context& ctx, Vec<const S> token, Seq<S> x) {
    each_token(ctx, x, [&](Index, Index, S* out, Index n) { std::copy(token.data(), token.data() + n, out); });
  }

  static void sum_tokens(Context& ctx, Seq<const S> source, Vec<T> dtoken) {
    const Index n = source.cols();
    const Index batch = source.rows();
    T* const partials = ctx.shared<T>(batch * n);
    parallel_for(ctx, batch, [&](Index b, int) {
      T* const partial = partials + b * n;
      std::fill(partial, partial + n, T(0));
      for (Index i = 0; i < source.extent(1); ++i) {
        const S* in = source.row(b) + i * n;
        for (Index j = 0; j < n; ++j) partial[j] += T(in[j]);
      }
    });
    add_partials<T>(ctx, Mat<const T>(partials, batch, n), dtoken);
  }

 private:
  template <class Body>
  static void each_token(Context& ctx, Seq<S> x, Body&& body) {
    const Index tokens = x.extent(1);
    const Index n = x.cols();
    parallel_chunks(ctx, x.rows() * tokens, rows_per_chunk(n), [&](Range r, Index, int) {
      for (Index token = r.begin; token < r.end; ++token) {
        const Index b = token / tokens;
        const Index i = token % tokens;
        body(b, i, x.row(b) + i * n, n);
      }
    });
  }
};

}  // namespace vjepa::cpu
