// vjepa-extract: features of videos, images and live streams by a frozen encoder.
#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/command_line.hpp"
#include "common/inputs.hpp"
#include "common/interrupt.hpp"
#include "extract.hpp"
#include "extract_run.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/data/ffmpeg.hpp"
#include "vjepa/infer/recognise.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/json.hpp"

namespace {

namespace po = boost::program_options;
using vjepa::fail;
using vjepa::Index;

constexpr const char* examples = R"(
INPUT is a video, an image, a folder of them, a CSV list (path label), - for a video on standard input, or an address
that FFmpeg can open (rtsp://..., http://...). Beside the features stands a JSON file, F.npy.json or DIR/manifest.json,
that says which frames of which input each row is made of, with the label of a list, and what failed; one bad file does
not stop the others.

  --out F.npy           one array [clips, dim]
  --out F.safetensors   an array for each input, under its name
  --out DIR             a file for each input
  --out -               a line of JSON for each clip, as soon as it is there

With several --layers a row is [layers, dim], with --pool tokens [tokens, dim], with both [layers, tokens, dim].

Examples:
  vjepa-extract --checkpoint vitl16.pth.tar --model vit_large videos/ --out features.npy
  vjepa-extract --checkpoint vitl16.pth.tar a.mp4 b.jpg --pool tokens --out features.safetensors
  vjepa-extract --checkpoint vitl16.pth.tar --layers 5,11,17,23 list.csv --out features.npy
  vjepa-extract --checkpoint run/jepa-latest.safetensors --every 8 long.mp4 --out windows.npy
  vjepa-extract --checkpoint vitl16.pth.tar --device cuda:0 --dtype bfloat16 --decode-on cuda:0 list.csv --out f.npy
  ffmpeg -i in.mov -f matroska - | vjepa-extract --checkpoint vitl16.pth.tar - --out features.npy
  vjepa-extract --checkpoint vitl16.pth.tar rtsp://camera/stream --every 8 --keep-up --out -
  vjepa-extract --checkpoint vitl16.pth.tar --input-format v4l2 /dev/video0 --keep-up --out -
)";

po::options_description options() {
  po::options_description all("vjepa-extract --checkpoint C INPUT... --out OUT: features of videos and images");
  auto add = all.add_options();
  const auto text = [](const char* otherwise) { return po::value<std::string>()->default_value(otherwise); };
  const auto number = [](Index otherwise) { return po::value<Index>()->default_value(otherwise); };
  add("checkpoint", po::value<std::string>()->value_name("FILE"), "weights: PyTorch (.pth.tar, .pt) or safetensors");
  add("model", text("")->value_name("NAME"),
      "vit_tiny, vit_small, vit_base, vit_large, ...; else what the checkpoint shows");
  add("out", po::value<std::string>()->value_name("OUT"), "F.npy, F.safetensors, a folder, or -");
  add("pool", text("mean"),
      "mean over the tokens of a clip, tokens: every one, or probe: as a trained probe pools them");
  add("probe", text("")->value_name("FILE"), "checkpoint of an attentive probe, for --pool probe");
  add("layers", text("")->value_name("N,N,..."),
      "blocks whose normed outputs are wanted, counted from 0; else the last");
  add("size", number(0), "pixels, square: the short side is resized and the middle cut out; 0: as trained");
  add("window", number(0), "frames of a clip, an image is repeated; 0: as trained");
  add("stride", number(0), "frames from one of a clip to the next; 0: as trained, or 4 where the checkpoint is silent");
  add("part", po::value<double>()->default_value(0),
      "share of a video that a clip spans, up to 1, as data.clip_part of a configuration; replaces --stride; 0: as "
      "trained, or as --stride says");
  add("static-camera", text("trained"),
      "yes: what stands still is taken away, as by data.static_camera of a configuration; no; or trained: as the "
      "encoder's clips, or the probe's, were");
  add("segments", number(1), "clips of a video, spread evenly");
  add("every", number(0),
      "frames from the beginning of one clip to the next, as many clips as fit; replaces --segments");
  add("limit", number(0), "stop after so many clips of each input; 0: all");
  add("batch", number(8), "clips that run at once");
  add("checkpoint-key", text("target_encoder"), "which encoder of the checkpoint");
  add("partial", po::bool_switch(), "run even if tensors are missing, of other shapes, or unexpected");
  add("positions", text("computed"), "for clips of another size than trained: computed, or interpolated");
  add("dtype", text("float32"), "float32 or bfloat16");
  add("workers", po::value<int>()->default_value(2), "threads that read videos");
  add("decode-on", text("cpu"), "cpu, or hardware that FFmpeg decodes on, such as cuda:0");
  add("input-format", text("")->value_name("FORMAT"),
      "FFmpeg's name of a device or format: every INPUT is such a stream");
  add("input-option", po::value<std::vector<std::string>>()->composing()->value_name("KEY=VALUE"),
      "an option of FFmpeg's for streams, such as rtsp_transport=tcp; may be repeated");
  add("timeout", po::value<double>()->default_value(30),
      "seconds without data after which a stream has failed; 0: never");
  add("keep-up", po::bool_switch(), "of a live stream, drop clips rather than fall behind");
  program::add_device(all);
  return all;
}

std::vector<Index> numbers(const std::string& list) {
  std::vector<Index> all;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    Index n = 0;
    if (end + 1 == list.size()) fail("--layers ", list, ": ends in a comma");
    const auto [rest, error] = std::from_chars(list.data() + begin, list.data() + end, n);
    if (error != std::errc{} || rest != list.data() + end)
      fail("--layers ", list, ": wants numbers, such as 5,11,17,23");
    all.push_back(n);
    begin = end + 1;
  }
  return all;
}

template <class T>
T in_range(const program::Given& given, const char* name, T least, T most) {
  const T value = given[name].as<T>();
  if (!(value >= least && value <= most)) fail("--", name, " ", value, ": choose ", least, " to ", most);
  return value;
}

/// One of two words: whether it is the first.
bool is_first(const program::Given& given, const char* name, std::string_view first, std::string_view second) {
  const auto word = given[name].as<std::string>();
  if (word != first && word != second) fail("--", name, " ", word, ": choose ", first, " or ", second);
  return word == first;
}

Pool pool(const std::string& word) {
  if (word == "mean") return Pool::mean;
  if (word == "tokens") return Pool::tokens;
  if (word == "probe") return Pool::probe;
  fail("--pool ", word, ": choose mean, tokens or probe");
}

/// Throws Error for an option that means nothing for what is to be read.
void check_inputs(const program::Given& given, const ExtractOptions& o) {
  const auto is_stream = [](const program::Input& input) { return input.stream; };
  const bool segments = !given["segments"].defaulted();
  if (segments && o.every > 0) fail("--segments and --every exclude each other");
  if (o.part && o.stride > 0) fail("--part and --stride exclude each other");
  if (o.part && o.every > 0) fail("--part and --every exclude each other");
  if (o.part && std::ranges::any_of(o.inputs, is_stream)) {
    fail("--part is for files, whose length is known; leave it out");
  }
  if (segments && std::ranges::all_of(o.inputs, is_stream)) {
    fail("--segments is for files, and ", o.inputs.front().name, " is read as a stream; give --every, or leave it out");
  }
  if (std::ranges::none_of(o.inputs, is_stream)) {
    for (const char* option : {"input-option", "timeout"}) {
      if (given.count(option) != 0 && !given[option].defaulted()) {
        fail("--", option, " is for streams, and ", o.inputs.front().name, " is a file; leave it out");
      }
    }
  }
  if (!o.keep_up) return;
  if (o.inputs.size() > 1) {
    fail("--keep-up: ", o.inputs.size(), " inputs are given; live streams run in a process each");
  }
  if (!o.inputs.front().stream) {
    fail("--keep-up is for live streams, and ", o.inputs.front().name, " is a file, which can wait; leave it out");
  }
}

ExtractOptions parsed(const program::Given& given, const program::Device& device) {
  constexpr Index many = 1'000'000;
  ExtractOptions o;
  o.checkpoint = program::required(given, "checkpoint", "FILE");
  o.out = program::required(given, "out", "OUT");
  if (o.out.empty()) fail("--out is empty; --help shows examples");
  if (given.count("input") == 0) fail("INPUT is missing; --help shows examples");
  o.decoder = vjepa::DecodingDevice(given["decode-on"].as<std::string>());
  o.checkpoint_key = given["checkpoint-key"].as<std::string>();
  o.model = given["model"].as<std::string>();
  o.partial = given["partial"].as<bool>();
  o.interpolate = !is_first(given, "positions", "computed", "interpolated");
  o.layers = numbers(given["layers"].as<std::string>());
  o.probe = given["probe"].as<std::string>();
  o.pool = pool(given["pool"].as<std::string>());
  if ((o.pool == Pool::probe) != !o.probe.empty()) fail("--pool probe and --probe FILE go together");
  if (o.pool == Pool::probe && !o.layers.empty()) fail("--layers: a probe pools the last block alone; leave it out");
  o.size = in_range<Index>(given, "size", 0, 4096);
  o.window = in_range<Index>(given, "window", 0, 4096);
  o.stride = in_range<Index>(given, "stride", 0, many);
  const auto camera = given["static-camera"].as<std::string>();
  if (camera != "trained") o.static_camera = camera == "yes";
  if (camera != "yes" && camera != "no" && camera != "trained") {
    fail("--static-camera ", camera, ": choose yes, no or trained");
  }
  if (const auto part = in_range<double>(given, "part", 0, 1); part > 0) o.part = part;
  o.segments = in_range<Index>(given, "segments", 1, many);
  o.every = in_range<Index>(given, "every", 0, many);
  o.limit = in_range<Index>(given, "limit", 0, many);
  o.batch = in_range<Index>(given, "batch", 1, 4096);
  o.workers = in_range<int>(given, "workers", 1, 256);
  o.threads = device.threads;
  o.timeout = in_range<double>(given, "timeout", 0, 1e6);
  o.keep_up = given["keep-up"].as<bool>();
  o.input_format = given["input-format"].as<std::string>();
  for (const std::string& option : program::list(given, "input-option")) {
    const std::size_t equals = option.find('=');
    if (equals == std::string::npos) fail("--input-option ", option, ": wants KEY=VALUE");
    o.input_options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  o.interrupted = program::interrupted;
  o.inputs = program::listed_inputs(program::list(given, "input"), !o.input_format.empty());
  check_inputs(given, o);
  return o;
}

/// Where the command line does not say how clips are cut out of videos, as in training: `said(key)` is what that says
/// of itself, under the keys of its configuration, null for what it does not say.
template <class Said>
void cut_as_trained(ExtractOptions& o, Said&& said, const char* stride, const char* duration) {
  if (!o.static_camera) o.static_camera = said("data.static_camera") == vjepa::Json(true);
  if (o.stride > 0 || o.part) return;
  const vjepa::Json every = said(stride);
  o.stride = every.is_number_unsigned() ? std::clamp<Index>(every.template get<Index>(), 1, 1'000'000) : 4;
  const vjepa::Json seconds = said(duration);
  if (seconds.is_number()) o.duration = seconds.template get<double>();
  const vjepa::Json part = said("data.clip_part");
  if (!part.is_array() || part.size() != 2 || !part[0].is_number() || !part[1].is_number()) return;
  const bool whole = o.every == 0 && std::ranges::none_of(o.inputs, [](const auto& input) { return input.stream; });
  if (whole) {
    o.part = std::clamp((part[0].template get<double>() + part[1].template get<double>()) / 2, 0.0, 1.0);
  } else {
    std::fprintf(stderr,
                 "note: clips of the training spanned %s of their videos, as those of streams and of --every cannot; "
                 "one frame in %lld is taken\n",
                 part.dump().c_str(), static_cast<long long>(o.stride));
  }
}

/// The same, of the probe that pools, where it says so, or else of the encoder.
void cut_as_trained(ExtractOptions& o, const vjepa::Checkpoint& encoder, const vjepa::Checkpoint* probe) {
  using vjepa::Json;
  const auto parsed = [](const std::optional<std::string>& text) {
    return Json::parse(text.value_or("null"), nullptr, false);
  };
  const Json settings = probe != nullptr ? parsed(probe->metadata("settings")) : Json();
  if (settings.is_object()) {
    const auto said = [&](const char* key) { return settings.value(key, Json()); };
    return cut_as_trained(o, said, "data.frame_step", "pretrain.clip_duration");
  }
  const auto said = [&](const char* key) { return parsed(encoder.metadata(key)); };
  cut_as_trained(o, said, "data.sampling_rate", "data.clip_duration");
}

/// What the command line left to the checkpoint.
void complete(ExtractOptions& o, const vjepa::Checkpoint& checkpoint) {
  const auto found = vjepa::recognise_encoder(checkpoint, o.checkpoint_key);
  if (o.model.empty()) {
    if (!found || found->model.empty()) {
      fail(o.checkpoint, ": holds no encoder of a known model; say which it should be with --model");
    }
    o.model = found->model;
  }
  o.patch = found ? found->dims.patch : 16;
  o.tubelet = found ? found->dims.tubelet : 2;
  if (found) o.trained = found->clip;
  if (o.interpolate && !o.trained) {
    fail(o.checkpoint, ": holds no positions of a known clip size to interpolate; leave out --positions");
  }
  const vjepa::ClipSize trained = o.trained.value_or(vjepa::ClipSize{});
  if (o.size == 0) o.size = trained.height;
  if (o.window == 0) o.window = o.tubelet == 0 ? 1 : trained.frames;
  constexpr Index most = Index{1} << 28;
  if (o.window * o.size * o.size > most) {
    fail("a clip of ", o.window, " frames of ", o.size, "x", o.size,
         " pixels is larger than this program runs; choose a", " smaller --window or --size");
  }
}

int run(int argc, char** argv) {
  const auto given = program::parse(argc, argv, options(), examples, "input");
  if (!given) return 0;
  const program::Device device = program::device(*given);
  ExtractOptions o = parsed(*given, device);
  const bool full = is_first(*given, "dtype", "float32", "bfloat16");
  program::catch_interrupts();  // the first ends reading, and what is there is written
  std::signal(SIGPIPE, SIG_IGN);
  const vjepa::Checkpoint checkpoint(o.checkpoint);
  complete(o, checkpoint);
  std::optional<vjepa::Checkpoint> pooling;
  if (o.pool == Pool::probe) pooling.emplace(o.probe);
  const vjepa::Checkpoint* const probe = pooling ? &*pooling : nullptr;
  cut_as_trained(o, checkpoint, probe);
  if (*o.static_camera && o.window == 1) {
    fail("--window 1: nothing is left of one frame when what stands still is taken away; add --static-camera no");
  }
  const Extraction run = [&](AnyFeatures& features) { return ExtractRun(features, o, checkpoint).run(); };
  if (device.gpu) {
    return full ? extract_cuda_float32(o, checkpoint, probe, *device.gpu, run)
                : extract_cuda_bfloat16(o, checkpoint, probe, *device.gpu, run);
  }
  return full ? extract_cpu_float32(o, checkpoint, probe, run) : extract_cpu_bfloat16(o, checkpoint, probe, run);
}

}  // namespace

int main(int argc, char** argv) {
  vjepa::silence_ffmpeg();
  return program::guarded("vjepa-extract", run, argc, argv);
}
