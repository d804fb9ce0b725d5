#pragma once

#include <filesystem>
#include <string>

#include "vjepa/core/error.hpp"

namespace vjepa {

/// The files of a frozen evaluation in its folder.
struct ProbeFiles {
  std::filesystem::path folder;
  std::string tag;

  std::filesystem::path latest() const { return folder / (tag + "-latest.safetensors"); }
  std::filesystem::path log() const { return folder / (tag + "_r0.csv"); }
  std::filesystem::path chart() const { return folder / (tag + "-accuracy.svg"); }
  std::filesystem::path results() const { return folder / "results.json"; }
  std::filesystem::path confusion(const char* extension) const { return folder / text("confusion.", extension); }
  std::filesystem::path classes() const { return folder / "classes.csv"; }
  std::filesystem::path features() const { return folder / "features"; }

  /// Removes what a run wrote, but for the features, which are another's as well; the checkpoint last, so that the
  /// files of a run whose removal is broken off still have it beside them.
  void remove() const {
    for (const auto& file : {log(), chart(), results(), confusion("csv"), confusion("svg"), classes(), latest()}) {
      std::filesystem::remove(file);
    }
  }
};

}  // namespace vjepa
