// vjepa-convert: carries checkpoints between safetensors and PyTorch.
#include <boost/program_options.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/command_line.hpp"
#include "vjepa/core/error.hpp"
#include "vjepa/io/checkpoint.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/io/torch_checkpoint.hpp"

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using namespace vjepa;

constexpr const char* examples = R"(
The name of OUT says the format: .safetensors, or .pth.tar, .pth or .pt for PyTorch (the layout of the official trainer,
which can resume from it). IN is told by its contents.

Examples:
  vjepa-convert vitl16.pth.tar vitl16.safetensors
  vjepa-convert vitl16.pth.tar vitl16-bf16.safetensors --encoder-only --half bf16
  vjepa-convert run/jepa-latest.safetensors run/jepa-latest.pth.tar
)";

enum class Format { safetensors, torch };

Format format_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".safetensors")) return Format::safetensors;
  for (const char* ending : {".pth.tar", ".pth", ".pt"}) {
    if (name.ends_with(ending)) return Format::torch;
  }
  fail(path.string(), ": the name does not say a format; end it in .safetensors, .pth.tar, .pth or .pt");
}

DType half_type(const std::string& name) {
  if (name == "bf16") return DType::bf16;
  if (name == "f16") return DType::f16;
  fail("--half ", name, ": choose bf16 or f16");
}

/// What of the input is written.
StateDict selected(const Checkpoint& in, bool encoder_only, const std::string& half) {
  const std::string encoder = encoder_only ? in.encoder_prefix("target_encoder") : "";
  StateDict out;
  for (const StoredTensor& tensor : in.tensors()) {
    if (encoder_only && (!tensor.name.starts_with(encoder) || tensor.name.starts_with("opt."))) continue;
    const bool real = tensor.dtype == DType::f64 || tensor.dtype == DType::f32 || tensor.dtype == DType::f16 ||
                      tensor.dtype == DType::bf16;
    if (real && !half.empty() && tensor.dtype != half_type(half) && !tensor.name.starts_with("opt.")) {
      out.add_rounded(tensor, half_type(half));
    } else {
      out.refer(tensor);
    }
  }
  return out;
}

void convert(const fs::path& from, const fs::path& to, bool encoder_only, const std::string& half) {
  const Format format = format_of(to);
  std::error_code ignored;
  if (fs::is_directory(to, ignored)) fail(to.string(), ": is a folder; choose another name");
  if (const fs::path folder = to.parent_path(); !folder.empty() && !fs::is_directory(folder, ignored)) {
    fail(to.string(), ": there is no folder ", folder.string(), "; make it first");
  }
  const Checkpoint in(from);
  const StateDict out = selected(in, encoder_only, half);
  std::map<std::string, std::string> metadata = in.metadata();
  if (encoder_only) std::erase_if(metadata, [](const auto& entry) { return entry.first.starts_with("opt."); });
  if (format == Format::safetensors) {
    write_safetensors(to, out.tensors(), metadata);
  } else {
    TorchCheckpointWriter({out.tensors().begin(), out.tensors().end()}, metadata).write(to);
  }
  std::printf("%s: %zu tensors, %.1f MB\n", to.c_str(), out.tensors().size(),
              static_cast<double>(fs::file_size(to)) / 1e6);
}

int run(int argc, char** argv) {
  po::options_description all("vjepa-convert IN OUT: checkpoints between safetensors and PyTorch");
  auto add = all.add_options();
  add("half", po::value<std::string>()->default_value("")->value_name("bf16|f16"),
      "round weights; the optimizer's state stays as it is");
  add("encoder-only", po::bool_switch(), "the target encoder alone, which evaluation uses");
  const auto given = program::parse(argc, argv, all, examples, "files");
  if (!given) return 0;
  const std::vector<std::string> files = program::list(*given, "files");
  if (files.size() != 2) fail("two files are wanted, IN and OUT; --help shows examples");
  std::error_code same;
  if (fs::equivalent(files[0], files[1], same)) fail(files[1], ": is the input; choose another name");
  convert(files[0], files[1], (*given)["encoder-only"].as<bool>(), (*given)["half"].as<std::string>());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return program::guarded("vjepa-convert", run, argc, argv);
}
