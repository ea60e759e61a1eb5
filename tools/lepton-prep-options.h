#pragma once
// What lepton-prep can be asked.
#include <cstdint>
#include <string>
#include <vector>

#include "data/prep.h"
#include "lepton-prep-audio.h"
#include "lepton-prep-tables.h"
#include "lepton-prep-text.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lepton {

class CommandLine;

struct PrepCommand {
  std::string output;  // "" where a dataset is only looked at
  std::vector<std::string> inputs, train, val, test;
  std::string files_from, files0_from, labels, label_regex;
  std::string split, split_key, class_names, size, resize, max_errors, error_report;
  bool gray = false, stats = false;
  std::string type;    // "" = by content
  std::string label;   // column of the label
  std::string recipe;  // file whose recipe is to be used
  AudioCommand audio;
  TextCommand text;
  TableCommand table;
  int64_t max_pixels = 100'000'000, max_members = 10'000'000, max_file_bytes = int64_t{1} << 28;
  std::string check, list, export_to;
  int64_t export_limit = 0;
};

// Adds every option of lepton-prep that not all tools share.
void add_prep_options(CLI::App& app, PrepCommand& command);

// The options that steer prepare(); Error(usage) names the option whose value cannot be.
PrepOptions prep_options(const PrepCommand& command);

// "image", "text" or "table": as --type says, or by content.
std::string kind_of(const PrepCommand& command);

// Error(usage) for options that do not go together.
void check_prep_command(const PrepCommand& command, const CommandLine& line);

// The inputs named by operands and by --train, --val and --test.
std::vector<InputSpec> prep_inputs(const PrepCommand& command);

}  // namespace lepton
