// A pretraining step on the CPU by stage, or as a whole with its memory, for comparisons.
#include "step.hpp"

#include <iostream>
#include <string>
#include <utility>

#include "common/command_line.hpp"
#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/loader.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/model/models.hpp"
#include "vjepa/version.hpp"
#include "whole.hpp"

using namespace vjepa;

namespace {

using TrainedModels = ModelList<NamedModel<"vit_tiny", ViTTiny<>>, NamedModel<"vit_small", ViTSmall<>>,
                                NamedModel<"vit_base", ViTBase<>>>;
using InferredModels = ModelList<NamedModel<"vit_tiny", ViTTiny<>>, NamedModel<"vit_small", ViTSmall<>>,
                                 NamedModel<"vit_base", ViTBase<>>, NamedModel<"vit_large", ViTLarge<>>>;

constexpr const char* examples = R"(
  bench_step --model vit_base --dtype float32
  bench_step --model vit_large --what forward --steps 10
  bench_step --model vit_tiny --videos LIST.csv

Threads are as many as OMP_NUM_THREADS says, or every core.
)";

/// What one thread of the loader needs for a batch of these videos; it works while the step does.
void measure_data(const std::string& videos, const PretrainConfig& config) {
  VideoList list;
  list.add(videos);
  LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.workers = 1;
  options.sampler.frames_per_clip = config.data.num_frames;
  options.sampler.frame_step = config.data.sampling_rate;
  options.transform.size = config.data.crop_size;
  Loader loader(list, options, 0);
  for (int i = 0; i < 8; ++i) loader.next();  // beyond what is read ahead
  const auto time = bench::measure([&] { loader.next(); }, 20, 10);
  std::printf("| data, one thread | %.1f | %.0f %% | | | |\n", 1e3 * time.median, 100 * time.spread());
}

int run(int argc, char** argv) {
  namespace po = program::po;
  std::string what;
  std::string model;
  std::string dtype;
  std::string videos;
  bench::Workload workload;
  int steps = 0;
  po::options_description options("bench_step");
  auto add = options.add_options();
  add("what", po::value(&what)->default_value("stages"),
      "stages: a table of the step's stages; step: whole steps, or forward: forward passes of the encoder, as one line "
      "of JSON");
  add("model", po::value(&model)->default_value("vit_tiny"),
      "vit_tiny, vit_small or vit_base; vit_large, too, for forward");
  add("dtype", po::value(&dtype)->default_value("float32"), "float32 or bfloat16");
  add("batch", po::value(&workload.batch)->default_value(workload.batch), "clips");
  add("frames", po::value(&workload.frames)->default_value(workload.frames), "of a clip");
  add("crop", po::value(&workload.crop)->default_value(workload.crop), "pixels");
  add("recomputed-blocks", po::value(&workload.recomputed_blocks)->default_value(workload.recomputed_blocks),
      "of the encoder, whose activations training computes again in the backward pass");
  add("steps", po::value(&steps)->default_value(5), "repetitions of step and forward, after one that is not counted");
  add("videos", po::value(&videos), "CSV list or folder of videos: the stages have reading them, too");
  if (!program::parse(argc, argv, options, examples)) return 0;
  constexpr Index most = 1 << 16;
  for (const auto& [option, value] : {std::pair<const char*, Index>{"batch", workload.batch},
                                      {"frames", workload.frames},
                                      {"crop", workload.crop},
                                      {"steps", steps}}) {
    if (value < 1 || value > most) fail("--", option, " ", value, ": choose 1 to ", most);
  }
  if (workload.recomputed_blocks < 0) fail("--recomputed-blocks ", workload.recomputed_blocks, ": choose 0 or more");

  /// Calls visit.template operator()<Device, Encoder>() for what --dtype and --model name.
  const auto with = [&]<class Models>(Models, auto&& visit) {
    Models::with(model, 16, 2, [&]<class Encoder>() {
      if (dtype == "float32") {
        visit.template operator()<Cpu<float, ProgramGemm>, Encoder>();
      } else if (dtype == "bfloat16") {
        visit.template operator()<Cpu<bf16, ProgramGemm>, Encoder>();
      } else {
        fail("--dtype ", dtype, ": choose float32 or bfloat16");
      }
    });
  };
  const auto print = [&](int threads, const bench::Whole& whole) {
    std::cout << Json{{"program", "vjepa " + version()},
                      {"what", what},
                      {"model", model},
                      {"dtype", dtype},
                      {"batch", workload.batch},
                      {"frames", workload.frames},
                      {"crop", workload.crop},
                      {"recomputed_blocks", workload.recomputed_blocks},
                      {"tokens", whole.tokens},
                      {"kept", whole.kept},
                      {"hidden", whole.hidden},
                      {"threads", threads},
                      {"processor", bench::processor()},
                      {"products", ProgramGemm::name},
                      {"compiler", bench::compiler()},
                      {"flags", VJEPA_BENCH_FLAGS},
                      {"flops", whole.flops},
                      {"bytes", whole.bytes},
                      {"peak_bytes", whole.peak_bytes},
                      {"seconds", whole.seconds}}
              << std::endl;
  };

  if (what == "stages") {
    with(TrainedModels{}, [&]<class D, class Encoder>() { bench::StepBench<D, Encoder>(workload).run(model); });
    if (!videos.empty()) measure_data(videos, bench::official(workload));
  } else if (what == "step") {
    with(TrainedModels{}, [&]<class D, class Encoder>() {
      Context<D> ctx;
      print(ctx.threads(), bench::whole_step<D, Encoder>(ctx, workload, steps));
    });
  } else if (what == "forward") {
    with(InferredModels{}, [&]<class D, class Encoder>() {
      Context<D> ctx;
      print(ctx.threads(), bench::whole_forward<D, Encoder>(ctx, workload, steps));
    });
  } else {
    fail("--what ", what, ": choose stages, step or forward");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  return program::guarded("bench_step", run, argc, argv);
}
