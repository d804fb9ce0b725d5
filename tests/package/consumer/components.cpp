// A project of its own that uses the components io, config and ffmpeg: something goes through a file of each.
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <span>
#include <vector>
#include <vjepa/config/yaml.hpp>
#include <vjepa/data/video_reader.hpp>
#include <vjepa/data/video_writer.hpp>
#include <vjepa/io/safetensors.hpp>
#include <vjepa/io/zip_archive.hpp>
#include <vjepa/io/zip_writer.hpp>

using namespace vjepa;

namespace {

bool keeps_a_tensor() {
  const std::vector<float> values{1.5f, -2.0f, 0.25f};
  const StoredTensor tensor{"w", DType::f32, {3}, std::as_bytes(std::span(values))};
  write_safetensors("w.safetensors", std::span(&tensor, 1));
  return SafetensorsFile("w.safetensors").at("w").as<float>() == values;
}

bool keeps_an_entry() {
  ZipWriter writer("a.zip");
  writer.add("name", "text");
  writer.commit();
  return ZipArchive("a.zip").read("name").size() == 4;
}

bool reads_a_number() {
  std::ofstream("a.yaml") << "optimization:\n  epochs: 3\n";
  return read_yaml("a.yaml").section("optimization").required<int>("epochs") == 3;
}

bool keeps_frames() {
  Frames frames(5, 32, 48);
  VideoWriter video("a.mp4", 32, 48);
  video.write(frames);
  video.finish();
  return VideoReader("a.mp4").frame_count() == 5;
}

}  // namespace

int main() {
  const bool tensor = keeps_a_tensor();
  const bool entry = keeps_an_entry();
  const bool number = reads_a_number();
  const bool video = keeps_frames();
  std::printf("safetensors %d, zip %d, YAML %d, video %d\n", tensor, entry, number, video);
  return tensor && entry && number && video ? 0 : 1;
}
