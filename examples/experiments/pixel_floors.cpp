// What the pixels themselves tell: the floors that learned features have to beat.
//
//   build/bin/pixel_floors TRAIN VAL CLASSES K
//
// TRAIN and VAL are CSV lists ("path label" a line). Two things are compared of each video: `frames`, eight of them
// spread evenly, grey and 32x24 pixels small, and `inputs`, what an encoder of probe.yaml would see of the whole of it,
// 16 frames of 32x32 pixels around what moves. Each less the training videos' mean: by ridge regression on the classes,
// with the strength that is best on VAL, so a little kind, and by the K nearest in cosine. Writes one line of JSON,
// accuracies in percent.
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/data/frames.hpp"
#include "vjepa/data/video_list.hpp"
#include "vjepa/data/video_reader.hpp"
#include "vjepa/data/view_reader.hpp"
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

/// The grey that a small pixel covers in a frame.
float mean_grey(const Frames& frames, Index t, Index y, Index x) {
  const auto range = [](Index i, Index parts, Index size) {
    const Index begin = i * size / parts;
    return std::pair(begin, std::max(begin + 1, (i + 1) * size / parts));
  };
  const auto [top, bottom] = range(y, height, frames.height);
  const auto [left, right] = range(x, width, frames.width);
  float sum = 0;
  for (Index r = top; r < bottom; ++r) {
    for (Index c = left; c < right; ++c) {
      const std::uint8_t* const rgb = frames.pixels.data() + 3 * ((t * frames.height + r) * frames.width + c);
      sum += 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    }
  }
  return sum / static_cast<float>((bottom - top) * (right - left));
}

std::vector<float> grey_pixels(const std::filesystem::path& path) {
  VideoReader video(path);
  std::vector<Index> numbers;
  for (Index i = 0; i < frames_compared; ++i)
    numbers.push_back((2 * i + 1) * video.frame_count() / (2 * frames_compared));
  const Frames frames = video.read(numbers);
  std::vector<float> grey;
  for (Index t = 0; t < frames.count; ++t) {
    for (Index y = 0; y < height; ++y) {
      for (Index x = 0; x < width; ++x) grey.push_back(mean_grey(frames, t, y, x));
    }
  }
  return grey;
}

std::vector<float> encoder_inputs(const std::filesystem::path& path) {
  const ViewReader read{
      .sampler = {.frames_per_clip = 16, .part = std::array{1.0, 1.0}, .num_clips = 1, .random_clip = false},
      .transform = EvalTransform{.size = 32, .views = 1, .static_camera = true}};
  Random none({});  // nothing is random
  return read(path, none, none).clips;
}

/// A set of videos, each as `pixels` makes it.
template <class Pixels>
std::vector<Labelled> read(const VideoList& list, std::int64_t classes, Pixels&& pixels) {
  std::vector<Labelled> videos;
  for (Index i = 0; i < list.size(); ++i) {
    if (list.label(i) < 0 || list.label(i) >= classes)
      fail(list.where(i), ": label ", list.label(i), " of ", classes, " classes");
    videos.push_back({pixels(list.path(i)), list.label(i)});
  }
  return videos;
}

/// The accuracies for classes of `val` by ridge regression, in its dual form: there are fewer videos than pixels.
TopK ridge(const std::vector<Labelled>& train, const std::vector<Labelled>& val, Index classes) {
  const auto matrix = [](const std::vector<Labelled>& set) {
    Eigen::MatrixXd m(static_cast<Index>(set.size()), static_cast<Index>(set.front().pixels.size()));
    for (Index i = 0; i < m.rows(); ++i) {
      for (Index j = 0; j < m.cols(); ++j) {
        m(i, j) = static_cast<double>(set[static_cast<std::size_t>(i)].pixels[static_cast<std::size_t>(j)]);
      }
    }
    return m;
  };
  const Eigen::MatrixXd x = matrix(train);
  const Eigen::MatrixXd across = matrix(val) * x.transpose();
  const Eigen::MatrixXd gram = x * x.transpose();
  Eigen::MatrixXd y = Eigen::MatrixXd::Zero(x.rows(), classes);
  for (Index i = 0; i < y.rows(); ++i) y(i, train[static_cast<std::size_t>(i)].label) = 1;
  const Eigen::RowVectorXd prior = y.colwise().mean();
  y.rowwise() -= prior;
  TopK best;
  for (double strength = 1e-4; strength < 1e3; strength *= 2) {  // of the mean square length of a video
    Eigen::MatrixXd ridged = gram;
    ridged.diagonal().array() += strength * gram.diagonal().mean();
    const Eigen::MatrixXd scores = (across * ridged.ldlt().solve(y)).rowwise() + prior;
    TopK accuracy;
    for (Index i = 0; i < scores.rows(); ++i) {
      const Eigen::RowVectorXd row = scores.row(i);
      accuracy.add(std::vector<double>(row.begin(), row.end()), val[static_cast<std::size_t>(i)].label);
    }
    if (accuracy.first > best.first) best = accuracy;
  }
  return best;
}

/// The accuracies for classes of `val` by the nearest of `train`.
TopK knn(const std::vector<Labelled>& train, const std::vector<Labelled>& val, Index classes, Index k) {
  NearestNeighbours nearest(classes, k, temperature);
  for (const Labelled& video : train) nearest.add(video.pixels, video.label);
  NeighbourAccuracy accuracy(nearest);
  for (const Labelled& video : val) accuracy.add(video.pixels, video.label);
  return accuracy.finish();
}

/// Both, of videos as `pixels` makes them, as JSON.
template <class Pixels>
std::string floors(const VideoList& train_list, const VideoList& val_list, Index classes, Index k, Pixels&& pixels) {
  std::vector<Labelled> train = read(train_list, classes, pixels);
  std::vector<Labelled> val = read(val_list, classes, pixels);
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
  return text("{\"ridge\": ", ridge(train, val, classes).top1(), ", \"knn\": ", knn(train, val, classes, k).top1(),
              "}");
}

int run(const std::string& train_list, const std::string& val_list, Index classes, Index neighbours) {
  VideoList train;
  VideoList val;
  train.add(train_list);
  val.add(val_list);
  std::printf("{\"k\": %td, \"frames\": %s, \"inputs\": %s}\n", neighbours,
              floors(train, val, classes, neighbours, grey_pixels).c_str(),
              floors(train, val, classes, neighbours, encoder_inputs).c_str());
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
    if (argc != 5) fail("usage: pixel_floors TRAIN VAL CLASSES K");
    return run(argv[1], argv[2], positive("CLASSES", argv[3]), positive("K", argv[4]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "pixel_floors: %s\n", e.what());
    return 1;
  }
}
