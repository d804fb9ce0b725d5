#pragma once

#include <boost/program_options.hpp>
#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "common/gpu.hpp"
#include "vjepa/core/error.hpp"

/// What the command lines of the programs share.
namespace program {

namespace po = boost::program_options;

using Given = po::variables_map;

/// Reads a command line. Words without an option go to `words`, where a program takes such. Prints the options and the
/// examples and returns nothing when --help is among them.
inline std::optional<Given> parse(int argc, char** argv, const po::options_description& options, const char* examples,
                                  const char* words = nullptr) {
  po::options_description shown = options;
  shown.add_options()("help", "show this");
  po::options_description every;
  every.add(shown);
  po::positional_options_description positions;
  if (words != nullptr) {
    every.add_options()(words, po::value<std::vector<std::string>>());
    positions.add(words, -1);
  }
  Given given;
  po::store(po::command_line_parser(argc, argv).options(every).positional(positions).run(), given);
  if (given.count("help") != 0) {
    std::cout << shown << examples;
    return {};
  }
  po::notify(given);
  return given;
}

/// The values of an option that may be repeated; none where it was not given.
inline std::vector<std::string> list(const Given& given, const char* name) {
  return given.count(name) != 0 ? given[name].as<std::vector<std::string>>() : std::vector<std::string>{};
}

/// The value of an option that has to be given.
inline std::string required(const Given& given, const char* name, const char* value_name) {
  if (given.count(name) == 0) vjepa::fail("--", name, " ", value_name, " is missing; --help shows examples");
  return given[name].as<std::string>();
}

/// The options that say what computes.
inline void add_device(po::options_description& options) {
  options.add_options()("device", po::value<std::string>()->default_value("cpu"), "cpu, or a GPU: cuda:0")(
      "threads", po::value<int>()->default_value(0), "threads of computation on the CPU; 0: every core")(
      "tf32", po::bool_switch(), "on a GPU, in float32: faster products whose factors keep 10 bits")(
      "cuda-graphs", po::bool_switch(),
      "on a GPU: work of repeated shapes is started by one call; for small models, in pretraining with "
      "mask.N.multiple_of");
}

/// What the options of `add_device` say.
struct Device {
  std::optional<Gpu> gpu;  // none for cpu
  int threads = 0;
};

/// N of cuda:N, the first for cuda, none for cpu.
inline std::optional<int> gpu_number(const std::string& name) {
  if (name == "cpu") return std::nullopt;
  if (name == "cuda") return 0;
  int number = 0;
  const char* const end = name.data() + name.size();
  if (name.starts_with("cuda:") && name.size() > 5 && name[5] != '-') {
    const auto [stop, error] = std::from_chars(name.data() + 5, end, number);
    if (stop == end && error == std::errc()) return number;
  }
  vjepa::fail("--device ", name, ": choose cpu, or a GPU by its number: cuda:0");
}

inline Device device(const Given& given) {
  Device chosen{.gpu = {}, .threads = given["threads"].as<int>()};
  if (const auto number = gpu_number(given["device"].as<std::string>())) {
    chosen.gpu = {.number = *number, .tf32 = given["tf32"].as<bool>(), .graphs = given["cuda-graphs"].as<bool>()};
  } else {
    for (const char* option : {"tf32", "cuda-graphs"}) {
      if (given[option].as<bool>()) vjepa::fail("--", option, " is for a GPU; add --device cuda:0, or leave it out");
    }
  }
  if (chosen.threads < 0 || chosen.threads > 1024) {
    vjepa::fail("--threads ", chosen.threads, ": choose 0 (every core) to 1024");
  }
  return chosen;
}

/// The exit status of run(argc, argv), or 1 and the error told. What cannot be written to standard output is an error,
/// too.
template <class Run>
int guarded(const char* name, Run&& run, int argc, char** argv) {
  try {
    const int status = run(argc, argv);
    if (!std::cout.flush() || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      vjepa::fail("standard output: cannot be written");
    }
    return status;
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": there is not enough memory; use a smaller batch, clip or model\n";
    return 1;
  } catch (const std::exception& e) {
    std::cerr << name << ": " << e.what() << "\n";
    return 1;
  }
}

}  // namespace program
