// What the pixels themselves tell: classifies videos by the training videos whose frames look most alike, the floor
// that learned features have to beat.
//
//   build/bin/pixel_neighbours TRAIN VAL CLASSES K
//
// TRAIN and VAL are CSV lists ("path label" a line); the K nearest vote. Of each video, eight frames spread evenly are
// compared, grey and 32x24 pixels small, by the cosine of the angle between what is left when the training videos' mean
// is taken away. Writes one line of JSON: k and the accuracy in percent.
#include <charconv>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/resize.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/train/nearest_neighbours.hpp"
#include "vjepa/train/probe_metrics.hpp"

using namespace vjepa;

constexpr Index frames_compared = 8;
constexpr Index height = 24;
constexpr Index width = 32;
constexpr double temperature = 0.07;  // as vjepa-probe

struct Labelled {
  std::vector<float> pixels;
  std::int64_t label;
};

std::vector<float> grey_pixels(const std::filesystem::path& path) {
  VideoReader video(path);
  std::vector<Index> numbers;
  for (Index i = 0; i < frames_compared; ++i)
    numbers.push_back((2 * i + 1) * video.frame_count() / (2 * frames_compared));
  const Frames small = resized(video.read(numbers), height, width);
  std::vector<float> grey;
  for (std::size_t i = 0; i < small.pixels.size(); i += 3) {
    const std::uint8_t* const rgb = small.pixels.data() + i;
    grey.push_back(0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]);
  }
  return grey;
}

std::vector<Labelled> read(const std::string& source, std::int64_t classes) {
  VideoList list;
  list.add(source);
  std::vector<Labelled> videos;
  for (Index i = 0; i < list.size(); ++i) {
    if (list.label(i) < 0 || list.label(i) >= classes)
      fail(list.where(i), ": label ", list.label(i), " of ", classes, " classes");
    videos.push_back({grey_pixels(list.path(i)), list.label(i)});
  }
  return videos;
}

int run(const std::string& train_list, const std::string& val_list, std::int64_t classes, Index neighbours) {
  std::vector<Labelled> train = read(train_list, classes);
  std::vector<Labelled> val = read(val_list, classes);
  std::vector<double> mean(train.front().pixels.size());
  for (const Labelled& video : train) {
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += static_cast<double>(video.pixels[i]) / static_cast<double>(train.size());
  }
  for (auto* const set : {&train, &val}) {
    for (Labelled& video : *set) {
      for (std::size_t i = 0; i < mean.size(); ++i) video.pixels[i] -= static_cast<float>(mean[i]);
    }
  }
  NearestNeighbours nearest(classes, neighbours, temperature);
  for (const Labelled& video : train) nearest.add(video.pixels, video.label);
  TopK accuracy;
  for (const Labelled& video : val) accuracy.add(nearest(video.pixels), video.label);
  std::printf("{\"k\": %td, \"val_top1\": %.5f, \"val_top5\": %.5f}\n", neighbours, accuracy.top1(), accuracy.top5());
  return 0;
}

Index positive(const char* name, std::string_view value) {
  Index n = 0;
  const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (error != std::errc() || rest != value.data() + value.size() || n < 1) {
    fail(name, " is '", value, "'; it must be a whole number, at least 1");
  }
  return n;
}

int main(int argc, char** argv) {
  silence_ffmpeg();
  try {
    if (argc != 5) fail("usage: pixel_neighbours TRAIN VAL CLASSES K");
    return run(argv[1], argv[2], positive("CLASSES", argv[3]), positive("K", argv[4]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "pixel_neighbours: %s\n", e.what());
    return 1;
  }
}
