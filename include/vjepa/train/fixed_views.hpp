#pragma once

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vjepa/core/error.hpp"
#include "vjepa/core/random.hpp"
#include "vjepa/core/view.hpp"
#include "vjepa/data/sha256.hpp"
#include "vjepa/data/view_reader.hpp"
#include "vjepa/io/dtype.hpp"
#include "vjepa/io/mapped_file.hpp"
#include "vjepa/io/safetensors.hpp"
#include "vjepa/io/state_dict.hpp"
#include "vjepa/train/any_frozen_encoder.hpp"
#include "vjepa/version.hpp"

namespace vjepa {

/// Features of views that do not change from epoch to epoch, kept in a folder, so that the encoder reads each file
/// once. What is kept bears the SHA-256 of the encoder's weights, of the views' description and of the file: with
/// another of any of them, or of the way from a file to its features, it is not found. Where clips begin is drawn by
/// the file's SHA-256, wherever the file lies.
class FixedViews {
 public:
  struct Options {
    bool wants_tokens = true;      // else the mean alone
    bool keeps_tokens = true;      // in the folder
    std::filesystem::path folder;  // empty, nothing is kept
  };

  /// One file on its way from a reader thread to the encoder.
  struct Sample {
    Sha256::Digest file{};
    std::vector<float> clips;  // empty where the features were kept
    ViewFeatures features;
  };

  FixedViews(AnyFrozenEncoder& encoder, ViewReader reader, Options options)
      : encoder_(&encoder),
        reader_(std::move(reader)),
        options_(std::move(options)),
        description_(text("encoder ", encoder.digest(), "; ", describe(reader_), "; ", name_of(encoder.dtype()),
                          "; vjepa ", version(), ", revision ", revision)) {}

  /// Reads what was kept of a file, or its clips. On any thread. Throws Error that names a file that cannot be used.
  Sample read(const std::filesystem::path& path) const {
    Sample sample;
    {
      Sha256 sha;
      sha.add(MappedFile(path).bytes());
      sample.file = sha.finish();
    }
    if (find(sample)) return sample;
    std::uint64_t own = 0;
    std::memcpy(&own, sample.file.data(), sizeof(own));
    Random when({.seed = 0, .purpose = Purpose::clip, .sample = own});
    Random augment({.seed = 0, .purpose = Purpose::augment, .sample = own});
    Views views = reader_(path, when, augment);
    sample.clips = std::move(views.clips);
    sample.features.numbers = std::move(views.numbers);
    return sample;
  }

  /// Encodes what was not kept, and keeps it.
  void complete(Sample& sample) {
    if (sample.clips.empty()) return;
    const bool mean_kept = !sample.features.mean.empty();
    encoder_->encode(sample.clips, options_.wants_tokens, sample.features);
    sample.clips.clear();
    if (!mean_kept || keeps_tokens()) keep(sample);
  }

 private:
  /// Of the way from a file's bytes to its features: raised when a decoder, sampler, transform or kernel changes what
  /// they are, so that features of before are not found.
  static constexpr int revision = 2;

  static std::string describe(const ViewReader& reader) {
    const ClipSampler& s = reader.sampler;
    const std::string span = s.part       ? text((*s.part)[0], " to ", (*s.part)[1], " of the video")
                             : s.duration ? text(*s.duration, " seconds")
                                          : text("every ", s.frame_step);
    return text(s.num_clips, " clips of ", s.frames_per_clip, " frames, ", span, s.random_clip ? "" : ", evenly",
                s.allow_overlap ? "; " : ", apart; ", reader.views(), " views of ", reader.size(),
                reader.static_camera() ? ", static camera" : "",
                reader.decoder.name() == "cpu" ? "" : ", decoded on " + reader.decoder.name());
  }

  std::filesystem::path place(const Sample& sample) const {
    Sha256 sha;
    sha.add(description_ + "; file " + hex(sample.file));
    const std::string name = hex(sha.finish());
    return options_.folder / name.substr(0, 2) / (name + ".safetensors");
  }

  /// Clips of a sample.
  Index clips() const { return reader_.sampler.num_clips * reader_.views(); }

  bool keeps_tokens() const { return options_.wants_tokens && options_.keeps_tokens; }

  /// False where not all that is wanted was kept; the mean is there all the same if it was.
  bool find(Sample& sample) const {
    if (options_.folder.empty()) return false;
    std::error_code ignored;
    const auto path = place(sample);
    if (!std::filesystem::exists(path, ignored)) return false;
    try {
      const SafetensorsFile file(path);
      for (const StoredTensor& tensor : file.tensors()) {
        if (tensor.name == "mean") sample.features.mean = tensor.as<float>();
        if (tensor.name == "numbers") sample.features.numbers = tensor.as<Index>();
        if (tensor.name != "tokens" || tensor.dtype != encoder_->dtype() || !options_.wants_tokens) continue;
        sample.features.tokens.assign(tensor.bytes.begin(), tensor.bytes.end());
      }
    } catch (const Error&) {
      sample.features = {};  // damaged; it is made anew and replaced
    }
    if (std::ssize(sample.features.mean) != encoder_->dim()) sample.features = {};
    const auto wanted =
        static_cast<std::size_t>(options_.wants_tokens ? clips() * encoder_->tokens() * encoder_->dim() : 0);
    return !sample.features.mean.empty() && sample.features.tokens.size() == size_of(encoder_->dtype()) * wanted;
  }

  void keep(const Sample& sample) const {
    if (options_.folder.empty()) return;
    StateDict state;
    state.add("mean", {encoder_->dim()}, sample.features.mean);
    state.add("numbers", {static_cast<Index>(sample.features.numbers.size())}, sample.features.numbers);
    if (keeps_tokens()) {
      state.refer(
          {"tokens", encoder_->dtype(), {clips(), encoder_->tokens(), encoder_->dim()}, sample.features.tokens});
    }
    const auto path = place(sample);
    std::filesystem::create_directories(path.parent_path());
    write_safetensors(path, state.tensors(), {{"features", description_ + "; file " + hex(sample.file)}});
  }

  AnyFrozenEncoder* encoder_;
  ViewReader reader_;
  Options options_;
  std::string description_;
};

}  // namespace vjepa
