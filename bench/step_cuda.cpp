// A pretraining step on the first GPU: by stage, or as a whole beside what another program takes for it.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "program_cuda.hpp"
#include "step.hpp"
#include "vjepa/model/models.hpp"
#include "whole.hpp"

using namespace vjepa;

namespace {

constexpr const char* usage = R"(bench_step_cuda WHAT MODEL DTYPE BATCH [STEPS [CROP [RECOMPUTED [graphs]]]]

  WHAT        stages: a table of the step's stages
              step: whole training steps, as one line of JSON
              cut_step: the same with clips that come as bytes and that the device resizes
              forward: forward passes of the encoder, likewise
  MODEL       vit_base, vit_large or vit_huge
  DTYPE       float32 or bfloat16
  STEPS       repetitions of steps and forward passes, after two that are not counted (10)
  CROP        pixels (224)
  RECOMPUTED  blocks of the encoder whose activations the backward pass computes again (0); flops count that, too
  graphs      step, cut_step, forward: work of one shape, as this is, runs as a CUDA graph after it was done once
)";

std::string list(const std::vector<Index>& values) {
  std::string all;
  for (const Index v : values) all += text(all.empty() ? "" : ", ", v);
  return "[" + all + "]";
}

/// Of the device's memory, whoever has it.
std::size_t used_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  cuda::check("cudaMemGetInfo", cudaMemGetInfo(&free, &total));
  return total - free;
}

void print(const std::string& what, const std::string& model, const std::string& dtype, const std::string& device,
           const cuda::Context& ctx, const bench::Workload& w, const bench::Whole& whole) {
  std::string seconds;
  for (const double s : whole.seconds) seconds += text(seconds.empty() ? "" : ", ", s);
  std::printf(
      "{\"program\": \"vjepa\", \"what\": \"%s\", \"model\": \"%s\", \"dtype\": \"%s\", \"batch\": %td, \"frames\": "
      "%td, \"crop\": %td, \"recomputed_blocks\": %td, \"tokens\": %td, \"kept\": %s, "
      "\"hidden\": %s, \"device\": \"%s\", \"graph_launches\": %lld, \"flops\": %.6g, \"bytes\": %zu, \"peak_bytes\": "
      "%lld, \"used_bytes\": %zu, \"seconds\": [%s]}\n",
      what.c_str(), model.c_str(), dtype.c_str(), w.batch, w.frames, w.crop, w.recomputed_blocks, whole.tokens,
      list(whole.kept).c_str(), list(whole.hidden).c_str(), device.c_str(),
      static_cast<long long>(ctx.graph_launches()), whole.flops, whole.bytes, static_cast<long long>(whole.peak_bytes),
      used_bytes(), seconds.c_str());
}

template <class D>
void run(const std::string& what, const std::string& model, const std::string& dtype, const bench::Workload& workload,
         int steps, bool graphs) {
  using Models = ModelList<NamedModel<"vit_base", ViTBase<>>, NamedModel<"vit_large", ViTLarge<>>,
                           NamedModel<"vit_huge", ViTHuge<>>>;
  Models::with(model, 16, 2, [&]<class Encoder>() {
    if (what == "stages") return bench::StepBench<D, Encoder>(workload).run(model);
    Context<D> ctx(0, {.graphs = graphs});
    print(what, model, dtype, D::describe(ctx), ctx, workload,
          what != "forward" ? bench::whole_step<D, Encoder>(ctx, workload, steps)
                            : bench::whole_forward<D, Encoder>(ctx, workload, steps));
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto word = [&](int i) { return std::string(argc > i ? argv[i] : ""); };
  const auto number = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  const std::string what = word(1);
  const std::string dtype = word(3);
  const bench::Workload workload{
      .batch = number(4, 0), .crop = number(6, 224), .recomputed_blocks = number(7, 0), .cut = what == "cut_step"};
  const int steps = number(5, 10);
  const bool graphs = word(8) == "graphs";
  const bool known = (what == "stages" || what == "step" || what == "cut_step" || what == "forward") &&
                     (dtype == "float32" || dtype == "bfloat16") && workload.batch > 0 && steps > 0;
  if (!known || argc > (graphs ? 9 : 8)) {
    std::fputs(usage, stderr);
    return 1;
  }
  try {
    if (dtype == "bfloat16") {
      run<ProgramCuda<bf16>>(what, word(2), dtype, workload, steps, graphs);
    } else {
      run<ProgramCuda<float>>(what, word(2), dtype, workload, steps, graphs);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_step_cuda: %s\n", e.what());
    return 1;
  }
}
