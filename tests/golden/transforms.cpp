#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "reference.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/data/crop.hpp"
#include "vjepa/data/eval_transform.hpp"
#include "vjepa/io/safetensors.hpp"

using namespace vjepa;
using namespace vjepa::test;

namespace {

Frames frames_of(const SafetensorsFile& file) {
  const StoredTensor& stored = file.at("frames");
  Frames frames(stored.shape[0], stored.shape[1], stored.shape[2]);
  frames.pixels = stored.as<std::uint8_t>();
  return frames;
}

struct Moments {
  double mean = 0;
  double error = 0;  // of the mean
};

template <class F>
Moments moments(const std::vector<Box>& boxes, const F& f) {
  const auto n = static_cast<double>(boxes.size());
  double sum = 0;
  double squares = 0;
  for (const Box& box : boxes) {
    const double value = f(box);
    sum += value;
    squares += value * value;
  }
  return {sum / n, std::sqrt((squares / n - sum * sum / n / n) / n)};
}

}  // namespace

TEST_CASE("crops are the official ones") {
  const auto folder = VJEPA_GOLDEN("transforms");
  const SafetensorsFile file(folder / "video.safetensors");
  const Frames frames = frames_of(file);
  for (const std::string name : {"crop0", "crop1", "crop2", "crop3"}) {
    INFO(name);
    const auto given = file.at(name + ".box_ijhw_flip").as<std::int64_t>();
    const auto expected = file.at(name + ".out").as<float>();
    const Index size = file.at(name + ".out").shape[2];
    std::vector<float> out(expected.size());
    for (Index t = 0; t < frames.count; ++t) {
      crop_resized(frames.frame(t), frames.width, {given[0], given[1], given[2], given[3]}, size, given[4] != 0,
                   out.data() + t * size * size, frames.count * size * size);
    }
    CHECK(relative_error(out, expected) < 1e-6);
  }
}

TEST_CASE("views for evaluation are the official ones") {
  const auto folder = VJEPA_GOLDEN("transforms");
  const SafetensorsFile file(folder / "video.safetensors");
  const Frames frames = frames_of(file);
  const auto center = file.at("eval_center.out").as<float>();
  std::vector<float> out(center.size());
  EvalTransform{.size = 32}(frames, out.data());
  CHECK(relative_error(out, center) < 1e-6);
  out.resize(3 * center.size());
  EvalTransform{.size = 32, .views = 3}(frames, out.data());
  for (std::size_t view = 0; view < 3; ++view) {
    const auto expected = file.at("eval_view" + std::to_string(view) + ".out").as<float>();
    const auto begin = out.begin() + static_cast<std::ptrdiff_t>(view * expected.size());
    const std::vector<float> part(begin, begin + static_cast<std::ptrdiff_t>(expected.size()));
    CHECK(relative_error(part, expected) < 1e-6);
  }
}

TEST_CASE("random boxes are distributed as the official ones") {
  const auto folder = VJEPA_GOLDEN("transforms");
  const SafetensorsFile file(folder / "video.safetensors");
  const auto given = file.at("random_boxes").as<std::int64_t>();
  std::vector<Box> official;
  for (std::size_t i = 0; i < given.size(); i += 4) {
    official.push_back({given[i], given[i + 1], given[i + 2], given[i + 3]});
  }
  std::vector<Box> ours;
  Random random({.seed = 2, .purpose = Purpose::augment});
  for (int i = 0; i < 5000; ++i) ours.push_back(random_box(240, 320, {0.3, 1.0}, {0.75, 1.35}, random));
  const std::array<double (*)(const Box&), 6> statistics = {
      [](const Box& b) { return static_cast<double>(b.height * b.width); },
      [](const Box& b) { return std::pow(static_cast<double>(b.height * b.width), 2); },
      [](const Box& b) { return std::log(static_cast<double>(b.width) / static_cast<double>(b.height)); },
      [](const Box& b) { return std::pow(static_cast<double>(b.width) / static_cast<double>(b.height), 2); },
      [](const Box& b) { return static_cast<double>(b.top); },
      [](const Box& b) { return static_cast<double>(b.left); },
  };
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    INFO("statistic " << i);
    const Moments theirs = moments(official, statistics[i]);
    const Moments mine = moments(ours, statistics[i]);
    CHECK(std::abs(mine.mean - theirs.mean) < 4 * std::hypot(mine.error, theirs.error));
  }
}
