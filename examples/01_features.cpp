// Features of a video by a frozen encoder, and how alike its clips are.
//
//   cmake --build --preset default --target 01_features && build/bin/01_features [CHECKPOINT VIDEO]
//
// CHECKPOINT is a vit_tiny or a vit_large: official, or of vjepa-pretrain, in PyTorch's format or safetensors. Without
// arguments the program makes an encoder of random weights and a video of its own.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "vjepa/core/random.hpp"
#include "vjepa/cpu/cpu.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/data/motion_scene.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/data/video_writer.hpp"
#include "vjepa/infer/feature_extractor.hpp"
#include "vjepa/infer/pooling.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/model/models.hpp"

using namespace vjepa;
using D = Cpu<float>;
using Models = ModelList<NamedModel<"vit_tiny", ViTTiny<>>, NamedModel<"vit_large", ViTLarge<>>>;

/// `count` clips of a video, spread evenly, as an encoder takes them: [count, 3, frames, size, size].
std::vector<float> read_clips(const std::filesystem::path& path, const ClipSize& size, Index count) {
  VideoReader video(path);
  // Every second frame, as small.yaml trains; the official encoders saw every fourth.
  ClipSampler sampler{.frames_per_clip = size.frames, .frame_step = 2, .duration = {}, .num_clips = count};
  sampler.random_clip = false;
  sampler.allow_overlap = true;
  const EvalTransform transform{.size = size.width};
  const Index pixels = 3 * size.frames * size.height * size.width;
  std::vector<float> clips(static_cast<std::size_t>(count * pixels));
  Random unused({});  // the sampler takes no random clips
  float* to = clips.data();
  for (const auto& numbers : sampler(video.frame_count(), video.fps(), unused)) {
    transform(video.read(numbers), to);
    to += pixels;
  }
  return clips;
}

/// The cosine of the angle between two rows of features.
double cosine(const float* a, const float* b, Index dim) {
  double ab = 0, aa = 0, bb = 0;
  for (Index i = 0; i < dim; ++i) {
    ab += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  return ab / std::sqrt(aa * bb);
}

/// Whether a clip is like itself, and no two clips are the same.
bool show_features(const std::filesystem::path& checkpoint_path, const std::filesystem::path& video) {
  const Checkpoint checkpoint(checkpoint_path);
  const auto found = recognise_encoder(checkpoint);
  if (!found) fail(checkpoint_path.string(), ": holds no encoder");
  std::printf("%s\n", describe(*found).c_str());

  const ClipSize size = found->clip.value_or(ClipSize{.frames = 16, .height = 64, .width = 64});
  const Index count = 3;
  const std::vector<float> clips = read_clips(video, size, count);
  D::Context ctx;
  const auto extract = make_feature_extractor<D, Models>(ctx, checkpoint, {.clip = size}, found->model,
                                                         found->dims.patch, found->dims.tubelet);
  const std::vector<float> features = mean_tokens<D>(ctx, (*extract)(clips).front());

  const Index dim = extract->dim();
  std::printf("%td clips of %td frames of %tdx%td, %td features each; their likeness:\n", count, size.frames,
              size.height, size.width, dim);
  bool sound = true;
  for (Index a = 0; a < count; ++a) {
    for (Index b = 0; b < count; ++b) {
      const double likeness = cosine(features.data() + a * dim, features.data() + b * dim, dim);
      std::printf(" %6.3f", likeness);
      sound = sound && (a == b ? std::abs(likeness - 1) < 1e-6 : likeness < 1);
    }
    std::printf("\n");
  }
  return sound;
}

/// An encoder of random weights, and a video in which a shape turns.
int show_features_of_examples() {
  const auto folder = std::filesystem::temp_directory_path() / ("vjepa-01-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const ParamLayout layout(ViTTiny<>{});
  StateDict weights;
  weights.add_params("target_encoder.", layout, initial_values<float>(layout, 1, 0));
  write_safetensors(folder / "encoder.safetensors", weights.tensors());
  VideoWriter video(folder / "turning.mp4", 96, 96);
  video.write(MotionScene(Motion::clockwise, Random({.seed = 1})).render(64, 96));
  video.finish();
  const bool sound = show_features(folder / "encoder.safetensors", folder / "turning.mp4");
  std::filesystem::remove_all(folder);
  return sound ? 0 : 1;
}

int main(int argc, char** argv) {
  silence_ffmpeg();
  if (argc != 1 && argc != 3) {
    std::fprintf(stderr, "usage: 01_features [CHECKPOINT VIDEO]\n");
    return 2;
  }
  try {
    if (argc == 1) return show_features_of_examples();
    show_features(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "01_features: %s\n", e.what());
    return 1;
  }
}
