// How often the steps of pretraining have the shape of one before, and so run as CUDA graphs, when masks are cut to a
// multiple of some tokens, and how many tokens that costs.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "step.hpp"
#include "vjepa/cuda/replay.hpp"
#include "vjepa/mask/multiblock3d.hpp"
#include "vjepa/train/sample_masks.hpp"

using namespace vjepa;

namespace {

constexpr const char* usage = R"(bench_mask_shapes [STEPS]

  STEPS  of a run of the official configuration whose masks are drawn (20000); needs no GPU
)";

/// Tokens that each mask group keeps and hides.
using Shape = std::vector<Index>;

/// The steps of a run whose masks are cut to a multiple of `multiple_of`.
std::vector<Shape> shapes(Index batch, Index multiple_of, std::int64_t steps) {
  PretrainConfig config = bench::official({.batch = batch});
  for (PretrainConfig::Mask& mask : config.mask) std::get<Multiblock3d>(mask).multiple_of = multiple_of;
  constexpr TokenGrid grid{.depth = 8, .height = 14, .width = 14};  // 16 frames of 224x224
  std::vector<Shape> all(static_cast<std::size_t>(steps));
  for (std::size_t step = 0; step < all.size(); ++step) {
    for (const Masks& masks : sample_masks(config, grid, batch, static_cast<std::int64_t>(step))) {
      all[step].push_back(masks.kept);
      all[step].push_back(masks.hidden);
    }
  }
  return all;
}

/// The share of steps that cuda::Replay runs as graphs, from the second of a shape on, when clips lie in `places`
/// places in turn.
double in_graphs(const std::vector<Shape>& steps, std::size_t places) {
  std::map<std::pair<Shape, std::size_t>, bool> met;  // whether there is a graph
  std::size_t graphs = 0;
  std::size_t launched = 0;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const auto [known, first] = met.try_emplace({steps[step], step % places}, false);
    if (first) continue;
    if (!known->second && graphs == cuda::Replay::most_graphs) continue;
    graphs += known->second ? 0 : 1;
    known->second = true;
    ++launched;
  }
  return static_cast<double>(launched) / static_cast<double>(steps.size());
}

double tokens(const std::vector<Shape>& steps) {
  double sum = 0;
  for (const Shape& shape : steps) {
    for (const Index count : shape) sum += static_cast<double>(count);
  }
  return sum;
}

void run(std::int64_t steps) {
  for (const Index batch : {24, 8}) {
    double whole = 0;
    for (const Index multiple_of : {1, 16, 32, 64, 128}) {
      const std::vector<Shape> all = shapes(batch, multiple_of, steps);
      if (multiple_of == 1) {
        whole = tokens(all);
        std::printf("%s%td clips: %zu shapes in %lld steps\n\n", batch == 24 ? "" : "\n", batch,
                    std::set<Shape>(all.begin(), all.end()).size(), static_cast<long long>(steps));
        std::printf("| multiple_of | tokens lost | steps in graphs | resized on the device |\n|---|---|---|---|\n");
      }
      std::printf("| %td | %.1f %% | %.0f %% | %.0f %% |\n", multiple_of, 100 * (1 - tokens(all) / whole),
                  100 * in_graphs(all, 2), 100 * in_graphs(all, 1));
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long long steps = argc > 1 ? std::atoll(argv[1]) : 20000;
  if (argc > 2 || steps < 1) {
    std::fputs(usage, stderr);
    return 2;
  }
  try {
    run(steps);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_mask_shapes: %s\n", e.what());
    return 1;
  }
}
