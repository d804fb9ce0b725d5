#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "common/gpu.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/train/probe_classifier.hpp"
#include "vjepa/train/probe_config.hpp"
#include "vjepa/train/probe_metrics.hpp"

/// What is asked of vjepa-classify.
struct ClassifyRequest {
  vjepa::ProbeConfig config;
  std::string probe;
  std::string encoder;
  std::vector<std::string> classes;
  std::vector<std::string> files;
  std::size_t top = 5;
  int threads = 0;
};

// A file for each device, so that they compile side by side. Each prints the classes of the files and returns whether
// every file could be read.
bool classify_cpu_float32(const ClassifyRequest& request);
bool classify_cpu_bfloat16(const ClassifyRequest& request);
bool classify_cuda_float32(const ClassifyRequest& request, const program::Gpu& gpu);
bool classify_cuda_bfloat16(const ClassifyRequest& request, const program::Gpu& gpu);

template <vjepa::Device D>
bool classify(vjepa::Context<D>& ctx, const ClassifyRequest& request) {
  using namespace vjepa;
  bool all = true;
  const auto& p = request.config.pretrain;
  NamedModels::with(p.model_name, p.patch_size, p.tubelet_size, [&]<class Encoder>() {
    ProbeClassifier<D, Encoder> classifier(ctx, Checkpoint(request.probe), Checkpoint(request.encoder), request.config);
    for (const std::string& file : request.files) {
      try {
        const std::vector<double> probabilities = classifier(file);
        std::printf("%s\n", file.c_str());
        const auto order = ranked(probabilities);
        for (std::size_t i = 0; i < std::min(request.top, order.size()); ++i) {
          std::printf("  %7.3f %%  %s\n", 100 * probabilities[order[i]], request.classes[order[i]].c_str());
        }
        std::fflush(stdout);
      } catch (const Error& e) {
        std::fprintf(stderr, "vjepa-classify: %s\n", e.what());
        all = false;
      }
    }
  });
  return all;
}
