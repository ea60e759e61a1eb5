#pragma once
// The option table of lepton-infer.
#include <string>
#include <vector>

#include "cli/options.h"

namespace lepton {

struct InferCommand {
  std::string model;
  std::vector<std::string> inputs;
  std::string files_from, files0_from, output = "-", format = "tsv", embed, threshold, positive, id, precision = "fp32";
  bool header = false, probs = false, json = false, pass_through = false;
  int64_t top = 1, batch = 32;
  double max_latency = 20;  // milliseconds
  double bench = 0;         // seconds; 0 = no benchmark
};

void add_infer_options(CommandLine& line, InferCommand& command);

}  // namespace lepton
