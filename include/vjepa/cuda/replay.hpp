#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "vjepa/cuda/context.hpp"
#include "vjepa/cuda/resource.hpp"

namespace vjepa::cuda {

/// An executable CUDA graph.
using Graph = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

/// What `work()` puts on the context's stream, and what is not run now; null where there is no memory for a graph of
/// it. Throws what `work` throws, or Error when it did something that a graph cannot hold.
template <class Work>
Graph capture(Context& ctx, Work&& work) {
  check("cudaStreamBeginCapture", cudaStreamBeginCapture(ctx.stream(), cudaStreamCaptureModeThreadLocal));
  std::exception_ptr thrown;
  try {
    work();
  } catch (...) {
    thrown = std::current_exception();
  }
  cudaGraph_t raw = nullptr;
  cudaError_t status = cudaStreamEndCapture(ctx.stream(), &raw);
  const Handle<cudaGraph_t, cudaGraphDestroy> recorded(raw);
  if (thrown) std::rethrow_exception(thrown);
  cudaGraphExec_t made = nullptr;
  if (status == cudaSuccess) status = cudaGraphInstantiate(&made, raw, 0);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the work is done without a graph, and the next launch is not told of it
    return nullptr;
  }
  check("making a CUDA graph, which leaving out --cuda-graphs (ContextOptions::graphs) avoids,", status);
  return Graph(made);
}

/// Repeats work by CUDA graphs, where the context is told to: one call in the place of a launch for every kernel. Work
/// that comes for the second time is captured; the first shows how much memory its kernels hand to each other, which a
/// capture cannot take. The first `most_graphs` that are captured are kept.
class Replay {
 public:
  /// CUDA holds graphs in device memory of their own, beside the context's pool.
  static constexpr std::size_t most_graphs = 128;

  template <class Work>
  void run(Context& ctx, std::uint64_t key, Work&& work) {
    if (!ctx.options().graphs) return work();
    follow(ctx);
    auto known = graphs_.find(key);
    if (known == graphs_.end()) {
      if (full_ || !seen_.contains(key)) {
        work();
        follow(ctx);
        if (!full_) seen_.insert(key);
        return;
      }
      Graph graph = capture(ctx, work);
      full_ = !graph || graphs_.size() + 1 == most_graphs;
      if (!graph) return work();
      known = graphs_.emplace(key, std::move(graph)).first;
    }
    ctx.launch_graph(known->second.get());
  }

  void forget() {
    graphs_.clear();
    seen_.clear();
    full_ = false;
  }

 private:
  /// Forgets when the memory has moved that kernels use and no argument names.
  void follow(Context& ctx) {
    const void* const scratch = ctx.scratch<std::byte>(0);
    if (std::exchange(scratch_, scratch) != scratch) forget();
  }

  const void* scratch_ = nullptr;
  std::map<std::uint64_t, Graph> graphs_;
  std::set<std::uint64_t> seen_;
  bool full_ = false;
};

}  // namespace vjepa::cuda
