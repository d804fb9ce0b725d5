#pragma once

#include <vector>

#include "vjepa/core/arena.hpp"
#include "vjepa/core/device.hpp"

namespace vjepa {

/// What a trained probe of any model makes of the tokens of a clip.
template <Device D>
class AnyProbeHead {
 public:
  virtual ~AnyProbeHead() = default;
  AnyProbeHead(const AnyProbeHead&) = delete;
  AnyProbeHead& operator=(const AnyProbeHead&) = delete;

  /// tokens [batch, tokens, dim] on the device; the result is on the host, [batch, outputs].
  std::vector<float> operator()(Seq<const Scalar<D>> tokens) {
    const Index batch = tokens.extent(0);
    if (out_.size() != batch * outputs_) out_ = Array<D, Scalar<D>>(*ctx_, batch * outputs_);
    infer(*ctx_, tokens, Mat<Scalar<D>>(out_.data(), batch, outputs_));
    const std::vector<Scalar<D>> host = out_.download(*ctx_);
    return {host.begin(), host.end()};
  }

 protected:
  AnyProbeHead(Context<D>& ctx, Index outputs) : ctx_(&ctx), outputs_(outputs) {}

 private:
  /// Overwrites out [batch, outputs].
  virtual void infer(Context<D>& ctx, Seq<const Scalar<D>> tokens, Mat<Scalar<D>> out) = 0;

  Context<D>* ctx_;
  Index outputs_;
  Array<D, Scalar<D>> out_;
};

}  // namespace vjepa
