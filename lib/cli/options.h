#pragma once
// Options all tools have, on CLI11: help in two lengths, configuration files, the nearest name for a misspelt option.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lepton {

struct CommonOptions {
  uint64_t seed = 0;
  int threads = 0;  // 0 = all the process may use
  std::string device = "auto";
  int64_t memory_limit = 0;  // bytes on a GPU; 0 = all there are
  std::string lock;          // --lock FILE, --lock-wait SECONDS
  double lock_wait = 0;
  std::string depfile;
};

// What a tool is: shown by --help, and which of the common options it has.
struct ToolText {
  std::string name;                    // "lepton-train"
  std::string summary;                 // one line
  std::string usage;                   // "[options] DATA.h5 -o MODEL.h5"
  std::string example;                 // one command
  std::vector<std::string> essential;  // long names shown by the short --help, in this order
  bool device = true, lock = true, depfile = true;
};

class CommandLine {
 public:
  explicit CommandLine(ToolText text);
  ~CommandLine();
  CLI::App& app() { return *app_; }  // <CLI/App.hpp>, slow to compile, is for option tables alone
  CommonOptions& common() { return common_; }

  // Parses; an empty result means: go on. Otherwise help, version or the configuration was printed and the tool is
  // done. Flags win over --config, that over the environment (LEPTON_THREADS, LEPTON_DEVICE). Errors are Exit::usage
  // and offer the nearest option. An argument that begins with "-:" is an operand.
  std::optional<Exit> parse(int argc, const char* const* argv);

  // Whether the user gave the option, on the command line or in the configuration.
  bool given(const std::string& long_name) const;

 private:
  void add_common();
  void read_config(const std::string& path);
  std::string short_help() const;
  std::string full_help() const;
  std::string config_text() const;

  ToolText text_;
  std::unique_ptr<CLI::App> app_;
  CommonOptions common_;
  bool quiet_ = false, verbose_ = false, version_ = false, print_config_ = false;
  std::string help_, config_;
};

// --precision of tools that answer.
void add_precision_option(CommandLine& line, std::string& precision, const std::string& group);

}  // namespace lepton
