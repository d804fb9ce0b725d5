#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "vjepa/core/pixels.hpp"
#include "vjepa/core/shapes.hpp"
#include "vjepa/core/view.hpp"

namespace vjepa {

/// A device is a policy class of static functions: `Cpu<float>`, `Cpu<bf16>`, `Cuda<bf16>`. Modules are
/// written over the concepts of this file and never name a device. What every function has in common:
///
/// - The first argument is the device's `Context` (threads, or a stream and its handles). Work on one
///   context happens in order, and may still be under way when the function returns; only `download`
///   and `synchronize` wait.
/// - Views hold device memory. A result is overwritten unless its name says it accumulates (`d` +
///   parameter name, `loss`). Arguments may not overlap, except where a line says they may.
/// - `Scalar` is what weights and activations are held in, `Grad` what gradients of parameters, master
///   weights, statistics and losses are held in. Sums are taken in `Grad` or wider.
/// - Results depend on the arguments alone, never on the number of threads.
///
/// A user swaps one kernel by deriving from a device and hiding one member.
template <class D>
using Context = typename D::Context;
template <class D>
using Scalar = typename D::Scalar;
template <class D>
using Grad = typename D::Grad;

/// Activations of N features, one row a token: as an argument and as a result.
template <class D, Index N>
using In = View<const Scalar<D>, Dyn, N>;
template <class D, Index N>
using Out = View<Scalar<D>, Dyn, N>;

/// Token indices within a clip, [batch, kept].
template <class T>
using Indices = View<T, Dyn, Dyn>;
using TokenIndices = Indices<const std::int32_t>;

/// The class of each clip, counted from 0, [batch].
using Labels = View<const std::int32_t, Dyn>;

/// Sizes of one attention call. Queries are `[batch * queries, heads * head_dim]`, keys and values
/// `[batch * keys, heads * head_dim]`; their rows may be strided, so that they can be columns of one
/// product.
struct AttentionShape {
  Index batch = 0;
  Index heads = 0;
  Index queries = 0;
  Index keys = 0;
  Index head_dim = 0;
};

/// A clip of pixels, [batch, channels, frames, height, width].
template <class T>
using Clips = View<T, Dyn, Dyn, Dyn, Dyn, Dyn>;

/// The box of pixels that becomes one token: frames x height x width.
struct Tubelet {
  Index frames = 0;
  Index height = 0;
  Index width = 0;
};

/// What AdamW is told at one step (Loshchilov and Hutter, "Decoupled weight decay regularization",
/// ICLR 2019).
struct AdamWStep {
  double lr = 0;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  std::int64_t step = 1;  // counted from 1
};

/// Weights in a flat arena: the masters, which are trained, and a copy of them that the passes read; it is empty where
/// they read the masters.
template <class S, class T>
struct WeightArena {
  Vec<T> master = {};
  Vec<S> copy = {};

  bool empty() const { return master.empty(); }
  WeightArena slice(Index begin, Index count) const {
    return {empty() ? master : master.slice(begin, count), copy.empty() ? copy : copy.slice(begin, count)};
  }
};

/// How far a gradient is shrunk: by min(1, most / (norm[0] + 1e-6)), the norm being on the device. An empty norm leaves
/// it as it is.
template <class T>
struct Clipping {
  Vec<const T> norm = {};
  double most = 0;
};

/// A moving average of weights, of which each step keeps a share. Empty weights: none is taken.
template <class S, class T>
struct MovingAverage {
  WeightArena<S, T> weights = {};
  double keep = 0;
};

/// A way for what the next step reads, beside the work on this one where the device can do both. It is made from a
/// context, which must outlive it. What is deallocated after its destruction is no longer written by it.
template <class D>
concept HasFeed = requires(Context<D>& ctx, typename D::Feed& feed, const void* source, void* device,
                           std::size_t bytes) {
  { D::Feed::beside } -> std::convertible_to<bool>;  // whether uploads and work happen at one time
  feed.upload(ctx, source, device, bytes);           // as D::upload, but seen only by work after `await`
  feed.await(ctx);                                   // the context's work from here on sees what was uploaded
  feed.release(ctx);                                 // uploads from here on wait for the context's work so far
};

/// Memory of the device and its traffic with the host.
template <class D>
concept Memory = HasFeed<D> && requires(Context<D>& ctx, void* device, const void* source, std::size_t bytes) {
  typename D::Scalar;
  typename D::Grad;
  { D::allocate(ctx, bytes) } -> std::same_as<void*>;  // aligned to 64 bytes; throws Error if it cannot
  D::deallocate(ctx, device);                          // throws nothing
  D::upload(ctx, source, device, bytes);               // host -> device; the host memory may be reused on return
  D::download(ctx, source, device, bytes);             // device -> host, waits
  D::copy(ctx, source, device, bytes);                 // device -> device
  D::clear(ctx, device, bytes);                        // zero bytes
  D::synchronize(ctx);
};

/// Products with a weight matrix w [out, in], as torch.nn.Linear stores it.
template <class D>
concept Linalg = requires(Context<D>& ctx, Mat<const Scalar<D>> x, Mat<const Scalar<D>> w, Vec<const Scalar<D>> b,
                          Mat<Scalar<D>> y, Mat<Grad<D>> dw, Vec<Grad<D>> db) {
  D::linear(ctx, x, w, b, y);                     // y = x wᵀ + b
  D::linear_residual(ctx, x, w, b, x, y);         // y = skip + x wᵀ + b; y may be skip
  D::linear_gelu(ctx, x, w, b, y, y);             // pre = x wᵀ + b, y = pre * Phi(pre); an empty pre is not kept
  D::linear_backward_data(ctx, x, w, y);          // dx = dy w
  D::linear_backward_weights(ctx, x, x, dw, db);  // dw += dyᵀ x, db += column sums of dy; an empty db is left out
  // From the gradient of gelu's value through w to that of what it was taken of, and that value again:
  // dx = (dy w) * gelu'(pre), db += column sums of dx, y = gelu(pre); y may be pre.
  D::linear_backward_data_gelu(ctx, x, w, x, y, db, y);
};

/// Functions of rows. LayerNorm's statistics are [rows, 2]: mean and reciprocal deviation.
template <class D>
concept Rows = requires(Context<D>& ctx, Mat<const Scalar<D>> x, Vec<const Scalar<D>> gamma, Mat<Scalar<D>> y,
                        Mat<Grad<D>> stats, Mat<const Grad<D>> saved, Vec<Grad<D>> dgamma, double eps) {
  D::layer_norm(ctx, x, gamma, gamma, eps, y, stats);  // empty stats are not kept
  // dx = skip + layer_norm'(dy); an empty skip is 0; dx may be skip or dy
  D::layer_norm_backward(ctx, x, x, gamma, saved, x, y, dgamma, dgamma);
  D::normalize(ctx, x, eps, y);  // LayerNorm without parameters; y may be x
};

/// softmax(q kᵀ / sqrt(head_dim)) v for every batch element and head, in memory linear in the tokens.
/// `lse` [batch * heads, queries] is the log-sum-exp of each row of scores; empty, it is not kept.
template <class D>
concept Attention = requires(Context<D>& ctx, AttentionShape shape, Mat<const Scalar<D>> q, Mat<Scalar<D>> out,
                             Mat<Grad<D>> lse, Mat<const Grad<D>> saved) {
  D::attention(ctx, shape, q, q, q, out, lse);
  D::attention_backward(ctx, shape, q, q, q, q, saved, q, out, out, out);  // dq, dk, dv
};

/// From pictures to clips.
template <class D>
concept Pixels = requires(Context<D>& ctx, Vec<const std::uint8_t> bytes, View<const Picture, Dyn> pictures,
                          PixelScale scale, Clips<Scalar<D>> clips) {
  // clips[b, c, t] = channel c of picture b * frames + t among the bytes, resized bilinearly, mirrored, normalised
  D::resize_pictures(ctx, bytes, pictures, scale, clips);
};

/// Moving tokens.
template <class D>
concept Gather = requires(Context<D>& ctx, Clips<const Scalar<D>> clips, Tubelet box, TokenIndices idx,
                          Mat<const Grad<D>> table, Vec<const Scalar<D>> token, Vec<Grad<D>> dtoken,
                          Seq<const Scalar<D>> source, Seq<Scalar<D>> x, Mat<Scalar<D>> patches) {
  // patches[b * kept + i] = the box idx(b, i), as [channel, frame, row, column]
  D::patchify(ctx, clips, box, idx, patches);
  D::add_positions(ctx, table, idx, x);   // x[b, i] += table[idx(b, i)]
  D::gather_tokens(ctx, source, idx, x);  // x[b, i] = source[b, idx(b, i)]
  D::copy_tokens(ctx, source, x);
  D::add_tokens(ctx, source, x);       // x[b, i] += source[b, i]
  D::fill_tokens(ctx, token, x);       // x[b, i] = token
  D::sum_tokens(ctx, source, dtoken);  // dtoken += sum over b, i of source[b, i]
};

/// The losses; `loss` is one value on the device, to which the functions add.
template <class D>
concept Losses = requires(Context<D>& ctx, Seq<const Scalar<D>> z, Seq<Scalar<D>> dz, Mat<Grad<D>> std,
                          Mat<const Grad<D>> mean_std, Vec<Grad<D>> loss, double weight, Mat<const Scalar<D>> logits,
                          Labels labels, Mat<Scalar<D>> dlogits) {
  // loss += weight * sum |z - h|^p / p; dz = its gradient
  D::power_loss(ctx, z, z, weight, weight, loss, dz);
  // std[b, d] += weight * sqrt(var over tokens of z[b, :, d] + eps), the variance unbiased
  D::token_std(ctx, z, weight, weight, std);
  // loss += weight * sum relu(1 - std); dstd = its gradient
  D::hinge(ctx, mean_std, weight, loss, std);
  // dz += weight * the gradient of sum dstd * sqrt(var + eps)
  D::token_std_backward(ctx, z, weight, mean_std, weight, dz);
  // loss += weight * sum over rows i of -log softmax(logits[i])[labels[i]]; dlogits = its gradient
  D::cross_entropy(ctx, logits, labels, weight, loss, dlogits);
};

/// Updates of flat arenas of parameters.
template <class D>
concept Update = requires(Context<D>& ctx, AdamWStep step, Clipping<Grad<D>> clipping, Vec<Grad<D>> w,
                          Vec<const Grad<D>> g, WeightArena<Scalar<D>, Grad<D>> weights,
                          MovingAverage<Scalar<D>, Grad<D>> average, Vec<Scalar<D>> copy) {
  // In one pass: weights and moments m, v from the gradient, clipped; average = keep * average + (1 - keep) * weights;
  // the copies of both
  D::adamw(ctx, step, clipping, g, weights, w, w, average);
  D::norm(ctx, g, w);        // w[0] = Euclidean norm of g
  D::convert(ctx, g, copy);  // from Grad to Scalar
};

/// Work that comes again: the device may keep what `work` called it for, and then do it with one call. `key` names
/// those calls and their arguments; none waits or reaches the host.
template <class D>
concept HasReplay = requires(Context<D>& ctx, typename D::Replay& replay, std::uint64_t key, void (&work)()) {
  replay.run(ctx, key, work);  // calls work(), or does what it did when `key` was the same
  replay.forget();             // keeps nothing: memory that the work uses has moved
};

template <class D>
concept Device = Memory<D> && HasReplay<D> && Linalg<D> && Rows<D> && Attention<D> && Pixels<D> && Gather<D> &&
    Losses<D> && Update<D>;

}  // namespace vjepa
