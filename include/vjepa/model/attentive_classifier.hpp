#pragma once

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/core/params.hpp"
#include "vjepa/model/attentive_pooler.hpp"
#include "vjepa/model/linear_classifier.hpp"

namespace vjepa {

/// Logits of a clip's tokens: an attentive pooler and a linear layer, the official frozen probe. Its depth and its
/// classes are run-time values.
template <PoolerDims S>
struct AttentiveClassifier {
  using Pooler = AttentivePooler<S>;
  using Head = LinearClassifier<S.dim>;
  static constexpr Index dim = S.dim;

  Index depth = 1;
  Index classes = 0;

  template <class T>
  struct Params {
    typename Pooler::template Params<T> pooler;
    typename Head::template Params<T> linear;
  };

  template <class T>
  Params<T> params() const {
    return {Pooler{.depth = depth}.template params<T>(), Head{.classes = classes}.template params<T>()};
  }

  template <class P, class Visitor>
  static void visit(P& p, Visitor visitor) {
    Pooler::visit(p.pooler, visitor.scope("pooler"));
    Head::visit(p.linear, visitor.scope("linear"));
  }

  template <Device D>
  struct Saved {
    Out<D, S.dim> pooled;
    typename Pooler::template Saved<D> pooler;
  };

  /// x [s.rows(), dim]; overwrites logits [s.batch, classes]. What `saved` names lies in the arena until the backward
  /// pass, and x must stay as it is.
  template <Device D>
  static void forward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, S.dim> x,
                      Mat<Scalar<D>> logits, Saved<D>& saved) {
    saved.pooled = arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    Pooler::template forward<D>(ctx, arena, p.pooler, s, x, saved.pooled, saved.pooler);
    Head::template forward<D>(ctx, p.linear, saved.pooled, logits);
  }

  /// dlogits [s.batch, classes] is the gradient of the logits. Overwrites dx [s.rows(), dim], accumulates into g.
  template <Device D>
  static void backward(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s,
                       const Saved<D>& saved, Mat<const Scalar<D>> dlogits, Out<D, S.dim> dx,
                       const Params<Grad<D>>& g) {
    const typename Arena<D>::Scope scope(arena);
    const auto dpooled = arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    Head::template backward<D>(ctx, p.linear, saved.pooled, dlogits, dpooled, g.linear);
    Pooler::template backward<D>(ctx, arena, p.pooler, s, saved.pooler, dpooled, dx, g.pooler);
  }

  /// Forward pass that keeps nothing: overwrites logits [s.batch, classes].
  template <Device D>
  static void infer(Context<D>& ctx, Arena<D>& arena, const Params<const Scalar<D>>& p, Sequences s, In<D, S.dim> x,
                    Mat<Scalar<D>> logits) {
    const typename Arena<D>::Scope scope(arena);
    const auto pooled = arena.template take<Scalar<D>, Dyn, S.dim>(s.batch);
    Pooler::template infer<D>(ctx, arena, p.pooler, s, x, pooled);
    Head::template forward<D>(ctx, p.linear, pooled, logits);
  }
};

}  // namespace vjepa
