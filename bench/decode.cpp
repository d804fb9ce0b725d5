// Clips for training from videos, by one thread: from the file to cropped and normalised pixels. Prints a line of JSON.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "measure.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/clip_sampler.hpp"
#include "vjepa/data/clip_transform.hpp"
#include "vjepa/data/decoding_device.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/sampled_clips.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/io/json.hpp"
#include "vjepa/version.hpp"

using namespace vjepa;

namespace {

constexpr const char* examples = R"(
  bench_decode --videos LIST.csv --clips 200
  bench_decode --videos FOLDER
)";

int run(int argc, char** argv) {
  namespace po = program::po;
  Index clips = 0;
  Index seed = 0;
  ClipSampler sampler;
  ClipTransform transform;
  po::options_description options("bench_decode");
  auto add = options.add_options();
  add("videos", po::value<std::string>(),
      "CSV list or folder of videos; clips are taken of videos spread evenly over it");
  add("clips", po::value(&clips)->default_value(100), "to read");
  add("frames", po::value(&sampler.frames_per_clip)->default_value(sampler.frames_per_clip), "of a clip");
  add("step", po::value(&sampler.frame_step)->default_value(sampler.frame_step), "frames from one to the next");
  add("crop", po::value(&transform.size)->default_value(transform.size), "pixels");
  add("decode-on", po::value<std::string>()->default_value("cpu"), "cpu, or hardware that FFmpeg decodes on: cuda:0");
  add("seed", po::value(&seed)->default_value(0), "of the places of clips and crops");
  const auto given = program::parse(argc, argv, options, examples);
  if (!given) return 0;
  constexpr Index most = 1 << 20;
  if (clips < 1 || clips > most) fail("--clips ", clips, ": choose 1 to ", most);
  if (seed < 0) fail("--seed ", seed, ": choose a number that is not negative");
  if (sampler.frames_per_clip < 1) fail("--frames ", sampler.frames_per_clip, ": choose 1 or more");
  if (sampler.frame_step < 1) fail("--step ", sampler.frame_step, ": choose 1 or more");
  if (transform.size < 1) fail("--crop ", transform.size, ": choose 1 or more");

  VideoList list;
  list.add(program::required(*given, "videos", "LIST"));
  std::vector<float> pixels(static_cast<std::size_t>(3 * sampler.frames_per_clip * transform.size * transform.size));
  const DecodingDevice decoder((*given)["decode-on"].as<std::string>());
  SampledClips sampled;
  bool on_hardware = false;
  const auto read = [&](Index clip) {
    const auto key = static_cast<std::uint64_t>(clip);
    VideoReader reader(list.path(clip * list.size() / clips), decoder);
    Random when({.seed = static_cast<std::uint64_t>(seed), .purpose = Purpose::clip, .sample = key});
    Random augment({.seed = static_cast<std::uint64_t>(seed), .purpose = Purpose::augment, .sample = key});
    sample_clips(reader, sampler, when, sampled);
    on_hardware = reader.on_hardware();
    transform(sampled.clips.front(), augment, pixels.data());
  };
  read(0);  // not counted
  Index next = 0;
  const std::vector<double> seconds = bench::repeat(static_cast<int>(clips), [&] { read(next++); });
  std::cout << Json{{"program", "vjepa " + version()},
                    {"reader", text("FFmpeg ", av_version_info(), " on ", on_hardware ? decoder.name() : "cpu")},
                    {"videos", list.size()},
                    {"frames", sampler.frames_per_clip},
                    {"step", sampler.frame_step},
                    {"crop", transform.size},
                    {"processor", bench::processor()},
                    {"compiler", bench::compiler()},
                    {"flags", VJEPA_BENCH_FLAGS},
                    {"seconds", seconds}}
            << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  silence_ffmpeg();
  return program::guarded("bench_decode", run, argc, argv);
}
