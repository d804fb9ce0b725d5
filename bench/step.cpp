// A pretraining step on the CPU, by stage.
//
//   bench_step [--model vit_tiny|vit_small|vit_base] [--dtype float32|bfloat16] [--batch N] [--crop N] [--videos LIST]
#include "step.hpp"

#include <boost/program_options.hpp>
#include <iostream>
#include <string>

#include "program_gemm.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/loader.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/model/models.hpp"

using namespace vjepa;

namespace {

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

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  namespace po = boost::program_options;
  std::string model;
  std::string dtype;
  std::string videos;
  Index batch = 0;
  Index crop = 0;
  po::options_description description("bench_step");
  description.add_options()("help", "show this")("model", po::value(&model)->default_value("vit_tiny"),
                                                 "vit_tiny, vit_small or vit_base")(
      "dtype", po::value(&dtype)->default_value("float32"), "float32 or bfloat16")(
      "batch", po::value(&batch)->default_value(1), "clips")("crop", po::value(&crop)->default_value(224), "pixels")(
      "videos", po::value(&videos), "CSV list or folder of videos: measures reading them, too");
  po::variables_map values;
  try {
    po::store(po::parse_command_line(argc, argv, description), values);
    po::notify(values);
    if (values.contains("help")) {
      std::cout << description;
      return 0;
    }
    using Models = ModelList<NamedModel<"vit_tiny", ViTTiny<>>, NamedModel<"vit_small", ViTSmall<>>,
                             NamedModel<"vit_base", ViTBase<>>>;
    Models::with(model, 16, 2, [&]<class Encoder>() {
      if (dtype == "bfloat16") {
        bench::StepBench<Cpu<bf16, ProgramGemm>, Encoder>(batch, crop).run(model);
      } else {
        bench::StepBench<Cpu<float, ProgramGemm>, Encoder>(batch, crop).run(model);
      }
    });
    if (!videos.empty()) measure_data(videos, bench::official(batch, crop));
  } catch (const std::exception& e) {
    std::cerr << "bench_step: " << e.what() << "\n";
    return 1;
  }
}
