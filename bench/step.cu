// A pretraining step on the first GPU, by stage.
//
//   bench_step_cuda vit_base|vit_large|vit_huge float32|bfloat16 BATCH [CROP]
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "step.hpp"
#include "vjepa/cuda.cuh"
#include "vjepa/model/models.hpp"

using namespace vjepa;

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::fprintf(stderr, "bench_step_cuda vit_base|vit_large|vit_huge float32|bfloat16 BATCH [CROP]\n");
    return 1;
  }
  const std::string model = argv[1];
  const std::string dtype = argv[2];
  const bench::Workload workload{.batch = std::atoi(argv[3]), .crop = argc == 5 ? std::atoi(argv[4]) : 224};
  try {
    using Models = ModelList<NamedModel<"vit_base", ViTBase<>>, NamedModel<"vit_large", ViTLarge<>>,
                             NamedModel<"vit_huge", ViTHuge<>>>;
    Models::with(model, 16, 2, [&]<class Encoder>() {
      if (dtype == "bfloat16") {
        bench::StepBench<Cuda<bf16>, Encoder>(workload).run(model);
      } else {
        bench::StepBench<Cuda<float>, Encoder>(workload).run(model);
      }
    });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_step_cuda: %s\n", e.what());
    return 1;
  }
}
