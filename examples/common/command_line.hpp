#pragma once

#include <boost/program_options.hpp>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

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
  options.add_options()("device", po::value<std::string>()->default_value("cpu"), "cpu")(
      "threads", po::value<int>()->default_value(0), "threads of computation; 0: every core");
}

/// --threads, once --device is known to be there.
inline int device_threads(const Given& given) {
  if (const auto device = given["device"].as<std::string>(); device != "cpu") {
    vjepa::fail("--device ", device, ": this build has cpu alone");
  }
  const int threads = given["threads"].as<int>();
  if (threads < 0 || threads > 1024) vjepa::fail("--threads ", threads, ": choose 0 (every core) to 1024");
  return threads;
}

/// The exit status of run(argc, argv), or 1 and the error told.
template <class Run>
int guarded(const char* name, Run&& run, int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << name << ": " << e.what() << "\n";
    return 1;
  }
}

}  // namespace program
