#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// What is told of a file: values, sections of values (objects) and tables (arrays of objects). Numbers are raw; the
/// end of a key, or of its section's, says their unit: `bytes`, `flops`, `parameters`, `seconds`.
using Report = nlohmann::ordered_json;

Report describe_checkpoint(const std::filesystem::path& path, bool list_tensors);
Report describe_media(const std::filesystem::path& path);
/// `overrides` replace values, as in vjepa-pretrain --set.
Report describe_config(const std::filesystem::path& path, const std::vector<std::string>& overrides);

/// A report in aligned columns, with units.
std::string report_text(const Report& report);

/// Throws Error that says which files are known.
[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason);
