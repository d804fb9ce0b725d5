#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "vjepa/cuda/context.cuh"
#include "vjepa/cuda/resource.cuh"

namespace vjepa::cuda {

/// An executable CUDA graph.
using Graph = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

/// What `work()` puts on the context's stream, and what is not run now. Throws what `work` throws, or Error when it did
/// something that a graph cannot hold.
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
  const cudaError_t status = cudaStreamEndCapture(ctx.stream(), &raw);
  const Handle<cudaGraph_t, cudaGraphDestroy> recorded(raw);
  if (thrown) std::rethrow_exception(thrown);
  check("cudaStreamEndCapture", status);
  cudaGraphExec_t made = nullptr;
  check("cudaGraphInstantiate", cudaGraphInstantiate(&made, raw, 0));
  return Graph(made);
}

/// Repeats work by CUDA graphs, where the context is told to: one call in the place of a launch for every kernel. Work
/// that comes for the second time is captured; the first shows how much memory its kernels hand to each other, which a
/// capture cannot take. The first `most_graphs` that are captured are kept.
class Replay {
 public:
  /// CUDA holds a graph of a model in megabytes of device memory, beside the context's pool.
  static constexpr std::size_t most_graphs = 128;

  Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() { wait(); }

  template <class Work>
  void run(Context& ctx, std::uint64_t key, Work&& work) {
    if (!ctx.options().graphs) return work();
    stream_ = ctx.stream();
    const void* const scratch = ctx.scratch<std::byte>(0);  // what kernels use and no argument names
    if (std::exchange(scratch_, scratch) != scratch) forget();
    auto known = graphs_.find(key);
    if (known == graphs_.end()) {
      if (graphs_.size() == most_graphs || seen_.insert(key).second) return work();
      known = graphs_.emplace(key, capture(ctx, work)).first;
    }
    ctx.launch_graph(known->second.get());
  }

  void forget() {
    wait();
    graphs_.clear();
    seen_.clear();
  }

 private:
  /// A graph must not be destroyed before it has run.
  void wait() {
    if (!graphs_.empty()) cudaStreamSynchronize(stream_);  // whoever waits next is told of a failure
  }

  cudaStream_t stream_ = nullptr;
  const void* scratch_ = nullptr;
  std::map<std::uint64_t, Graph> graphs_;
  std::set<std::uint64_t> seen_;
};

}  // namespace vjepa::cuda
