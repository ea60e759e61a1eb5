#pragma once
// The option table of lepton-eval.
#include <string>
#include <vector>

#include "cli/options.h"

namespace lepton {

struct EvalCommand {
  std::vector<std::string> operands;  // MODEL.h5 DATA.h5...
  std::string predictions, truth, compare;
  std::string threshold, threshold_for, positive;  // how scores become labels
  std::string curves, plot, plot_log;
  std::string precision = "fp32";
  bool json = false, per_class = false, confusion = false, tta = false, calibrate = false, write = false,
       regression = false, importance = false;
  int64_t top = 5, worst = 0, batch = 128;
  std::vector<std::string> fail_under, fail_over, max_drop;

  bool in_int8() const { return precision == "int8"; }
  bool measuring() const { return in_int8() && write; }  // the ranges of int8
  bool choosing() const { return calibrate || !threshold_for.empty(); }
  bool plots_only() const { return operands.empty() && predictions.empty() && truth.empty() && !plot_log.empty(); }
};

void add_eval_options(CommandLine& line, EvalCommand& command);

}  // namespace lepton
