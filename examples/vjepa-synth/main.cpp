// vjepa-synth: makes a labelled data set of encoded videos in which a shape moves in one of eight ways.
#include <algorithm>
#include <atomic>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/command_line.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/motion_scene.hpp"
#include "vjepa/data/video_writer.hpp"
#include "vjepa/io/atomic_file.hpp"
#include "vjepa/train/progress.hpp"

namespace {

namespace po = boost::program_options;
using vjepa::Index;

constexpr const char* about = R"(
Writes into DIR: clips/*.mp4, train.csv and val.csv ("path label" a line), and labels.txt (a name a line). The
motions are left, right, up, down, grow, shrink, clockwise and counterclockwise, over textures that no two
clips share; a single frame does not tell which. The same options give the same clips.

Examples:
  vjepa-synth --out motions --clips 1000
  vjepa-synth --out motions --clips 200 --seed 7 --size 160 --frames 64
  vjepa-pretrain --config examples/configs/pretrain/small.yaml --videos motions/train.csv --set logging.folder=OUT
)";

struct Settings {
  std::filesystem::path out;
  Index clips = 1000;
  Index seed = 0;
  Index frames = 48;
  Index size = 128;
  int fps = 24;
  double validation = 0.2;
  int threads = 0;
};

po::options_description options(Settings& s) {
  po::options_description all("vjepa-synth: labelled videos of moving shapes");
  auto add = all.add_options();
  add("out", po::value(&s.out)->value_name("DIR"), "folder to write, made where it does not exist");
  add("clips", po::value(&s.clips)->default_value(s.clips), "number of clips");
  add("seed", po::value(&s.seed)->default_value(s.seed), "another seed gives other clips");
  add("frames", po::value(&s.frames)->default_value(s.frames), "frames a clip");
  add("size", po::value(&s.size)->default_value(s.size), "height and width in pixels, even");
  add("fps", po::value(&s.fps)->default_value(s.fps), "frames a second");
  add("validation", po::value(&s.validation)->default_value(s.validation, "0.2"),
      "part of the clips that val.csv lists");
  add("threads", po::value(&s.threads)->default_value(s.threads), "clips made at a time; 0: one a core");
  return all;
}

void check(const Settings& s) {
  if (s.out.empty()) vjepa::fail("--out DIR is missing; --help shows examples");
  if (s.clips < 1 || s.clips > 10'000'000) vjepa::fail("--clips ", s.clips, ": choose 1 to 10000000");
  if (s.seed < 0) vjepa::fail("--seed ", s.seed, ": choose a number that is not negative");
  if (s.frames < 2 || s.frames > 100'000) vjepa::fail("--frames ", s.frames, ": choose 2 to 100000");
  if (s.size < 16 || s.size > 4096 || s.size % 2 != 0) vjepa::fail("--size ", s.size, ": choose an even 16 to 4096");
  if (s.fps < 1 || s.fps > 1000) vjepa::fail("--fps ", s.fps, ": choose 1 to 1000");
  if (!(s.validation >= 0 && s.validation <= 1)) vjepa::fail("--validation ", s.validation, ": choose 0 to 1");
  if (s.threads < 0 || s.threads > 1024) vjepa::fail("--threads ", s.threads, ": choose 0 (one a core) to 1024");
}

std::size_t label(Index clip) {
  return static_cast<std::size_t>(clip) % vjepa::motion_names.size();
}

/// Path of a clip, from the folder of the data set.
std::string name(Index clip) {
  char number[24];
  std::snprintf(number, sizeof(number), "%06lld", static_cast<long long>(clip));
  return vjepa::text("clips/", number, "_", vjepa::motion_names[label(clip)], ".mp4");
}

void make(const Settings& s, Index clip) {
  const vjepa::Random random({.seed = static_cast<std::uint64_t>(s.seed),
                              .purpose = vjepa::Purpose::synth,
                              .sample = static_cast<std::uint64_t>(clip)});
  const vjepa::MotionScene scene(static_cast<vjepa::Motion>(label(clip)), random);
  vjepa::VideoWriter video(s.out / name(clip), s.size, s.size, {.fps = s.fps});
  video.write(scene.render(s.frames, s.size));
  video.finish();
}

/// Makes all clips on several threads. The first error ends the work and is thrown.
void make_all(const Settings& s) {
  vjepa::Progress progress("clip", s.clips, 100);
  std::atomic<Index> next = 0;
  std::mutex mutex;  // guards what follows, and the progress
  Index done = 0;
  std::exception_ptr error;
  const auto work = [&] {
    for (Index clip = next++; clip < s.clips; clip = next++) {
      try {
        make(s, clip);
        const std::lock_guard lock(mutex);
        progress.show(++done, std::string(vjepa::motion_names[label(clip)]));
      } catch (...) {
        next = s.clips;
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  };
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < (s.threads > 0 ? s.threads : static_cast<int>(cores)); ++i) threads.emplace_back(work);
  }
  if (error) std::rethrow_exception(error);
}

void write_lists(const Settings& s) {
  const Index training = s.clips - static_cast<Index>(std::lround(s.validation * static_cast<double>(s.clips)));
  std::string lists[2];
  for (Index clip = 0; clip < s.clips; ++clip) {
    lists[clip < training ? 0 : 1] += vjepa::text(name(clip), " ", label(clip), "\n");
  }
  std::string labels;
  for (const auto motion : vjepa::motion_names) labels += vjepa::text(motion, "\n");
  vjepa::write_file(s.out / "labels.txt", labels);
  vjepa::write_file(s.out / "train.csv", lists[0]);
  vjepa::write_file(s.out / "val.csv", lists[1]);
  std::cout << training << " clips in " << (s.out / "train.csv").string() << ", " << s.clips - training << " in "
            << (s.out / "val.csv").string() << "\n";
}

int run(int argc, char** argv) {
  Settings s;
  if (!program::parse(argc, argv, options(s), about)) return 0;
  check(s);
  std::error_code error;
  std::filesystem::create_directories(s.out / "clips", error);
  if (error) vjepa::fail((s.out / "clips").string(), ": cannot make this folder: ", error.message());
  make_all(s);
  write_lists(s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  return program::guarded("vjepa-synth", run, argc, argv);
}
