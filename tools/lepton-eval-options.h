#pragma once
// The option table of lepton-eval.
#include <string>
#include <vector>

#include "cli/options.h"

namespace lepton {

struct EvalCommand {
  std::vector<std::string> operands;  // MODEL.h5 DATA.h5...
  std::string predictions, truth;
  bool json = false, per_class = false, confusion = false, tta = false;
  int64_t top = 5, worst = 0, batch = 128;
  std::vector<std::string> fail_under, fail_over, max_drop;
};

void add_eval_options(CommandLine& line, EvalCommand& command);

}  // namespace lepton
