#pragma once

#include "classify.hpp"
#include "vjepa/core/device.hpp"
#include "vjepa/train/trained_probe.hpp"

/// Offers the probe on device D.
template <vjepa::Device D>
bool offer(vjepa::Context<D>& ctx, const ProbeSource& source, const Classification& run) {
  const auto probe = vjepa::make_trained_probe<D>(ctx, source.probe, source.encoder, source.config);
  return run(*probe);
}
