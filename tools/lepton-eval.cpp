// lepton-eval: how good a model, or any tool's predictions, are; and whether that is good enough.
#include <algorithm>

#include "cli/cli.h"
#include "cli/lock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "io/files.h"
#include "lepton-eval-model.h"
#include "lepton-eval-plot.h"
#include "predict/report.h"
#include "push/reference.h"

namespace lepton {
namespace {

std::vector<LabelRow> read_labels(const std::string& operand) {
  const std::string path = local_copy(operand, stop_requested);
  if (!names_dataset(path)) {
    const std::vector<uint8_t> bytes = read_file(path);
    return parse_labels(std::string(bytes.begin(), bytes.end()), path);
  }
  const DatasetReference reference = parse_dataset_reference(path);
  const Dataset dataset = Dataset::open(reference.path);
  std::vector<LabelRow> rows;
  for (const Split which : reference.splits) {
    const SplitData& split = require_split(dataset, which);
    for (int64_t i = 0; i < split.size(); ++i) {
      const int32_t label = split.labels()[static_cast<size_t>(i)];
      rows.push_back({split.id(i), label < 0 ? "" : dataset.meta().classes[static_cast<size_t>(label)], {}});
    }
  }
  return rows;
}

Evaluation evaluate_predictions(const EvalCommand& command) {
  const std::vector<LabelRow> truth = read_labels(command.truth), given = read_labels(command.predictions);
  int64_t strangers = 0;
  Evaluation e =
      command.regression
          ? evaluate_number_labels(truth, given, strangers)
          : evaluate_labels(truth, given, {.top = command.top, .worst = command.worst, .positive = command.positive},
                            strangers);
  e.name = "predictions";
  if (strangers > 0) warn(fmt::format("{} predictions are of ids that {} lacks", strangers, command.truth));
  return e;
}

std::vector<Gate> gates_of(const EvalCommand& command) {
  std::vector<Gate> gates;
  gates.reserve(command.fail_under.size() + command.fail_over.size() + command.max_drop.size());
  for (const std::string& g : command.fail_under) gates.push_back(parse_gate(GateKind::under, "--fail-under", g));
  for (const std::string& g : command.fail_over) gates.push_back(parse_gate(GateKind::over, "--fail-over", g));
  for (const std::string& g : command.max_drop) gates.push_back(parse_gate(GateKind::drop, "--max-drop", g));
  return gates;
}

void check_command(const EvalCommand& c) {
  const bool labels = !c.predictions.empty() || !c.truth.empty();
  if (labels && (c.predictions.empty() || c.truth.empty())) {
    fail(Exit::usage, "--predictions and --truth are given together");
  }
  if (labels && !c.operands.empty()) fail(Exit::usage, "--predictions is given instead of a model and datasets");
  if (labels && (!c.max_drop.empty() || c.tta || c.choosing() || !c.threshold.empty() || !c.compare.empty())) {
    fail(Exit::usage, "--max-drop, --tta, --threshold, --threshold-for, --calibrate and --compare need a model");
  }
  if (labels && !(c.curves.empty() && c.plot.empty())) fail(Exit::usage, "--curves and --plot need a model");
  if (!c.threshold.empty() && !c.threshold_for.empty()) {
    fail(Exit::usage, "--threshold is given, --threshold-for chooses: not both");
  }
  if (c.write && !c.measuring() && !c.choosing() && (c.threshold.empty() || c.threshold == "model")) {
    fail(Exit::usage,
         "--write stores what --calibrate, --threshold-for, --threshold N or --precision int8 says: give one of them");
  }
  if (c.json && c.curves == "-") fail(Exit::usage, "--curves -: does not go with --json; name a file");
  if (!c.plot_log.empty() && c.plot.empty()) fail(Exit::usage, "--plot-log is drawn by --plot FILE.svg: give that too");
  if (c.regression && (!labels || c.per_class || c.confusion || c.worst > 0 || !c.positive.empty())) {
    fail(Exit::usage, "--regression: for --predictions and --truth, and without what is of classes");
  }
  const bool more = c.json || c.per_class || c.confusion || c.worst > 0 || c.tta || c.choosing() || c.write ||
                    !c.threshold.empty() || !c.compare.empty() || !c.curves.empty() || !c.plot.empty();
  const bool gates = !c.fail_under.empty() || !c.fail_over.empty() || !c.max_drop.empty();
  if (c.importance && (labels || more || gates)) {
    fail(Exit::usage, "--importance: needs a model, and goes with no option but --positive, --seed and --batch");
  }
  check_plots(c);
  if (c.plots_only()) return;
  if (!labels && c.operands.empty()) fail(Exit::usage, "no model given; see --help");
  if (!labels && c.operands.size() < 2) fail(Exit::usage, "no dataset given: name one as DATA.h5 or DATA.h5:test");
  const auto stdin_named = std::count_if(c.operands.begin(), c.operands.end(), names_stdin);
  if (stdin_named + (c.predictions == "-") + names_stdin(c.truth) + (c.compare == "-") + (c.plot_log == "-") > 1) {
    fail(Exit::usage, "- (standard input) is named twice");
  }
}

Exit run(const EvalCommand& command, const CommonOptions& common) {
  check_command(command);
  const std::vector<Gate> gates = gates_of(command);
  const Lock lock(common.lock, common.lock_wait);
  if (command.plots_only()) {
    write_plots(command, {});
    return Exit::ok;
  }
  if (command.importance) {
    print(importance_text(command, common));
    return Exit::ok;
  }
  ModelEvaluation found;
  if (command.predictions.empty()) {
    found = evaluate_model(command, common);
  } else {
    found.evaluations.push_back(evaluate_predictions(command));
  }
  const std::vector<Evaluation>& evaluations = found.evaluations;
  const ReportStyle style{.aligned = stdout_is_terminal(),
                          .per_class = command.per_class,
                          .confusion = command.confusion,
                          .worst = command.worst > 0};
  print(command.json ? report_json(evaluations, style) : report_text(evaluations, style));
  if (!command.curves.empty()) write_curves(command, found);
  if (!command.plot.empty()) write_plots(command, found);
  flush_output();
  bool failed = false;
  for (size_t i = 0; i < evaluations.size(); ++i) {
    for (const Gate& gate : gates) {
      const std::string violation =
          gate_violation(gate, evaluations[i], found.stored_metrics, found.exact.empty() ? nullptr : &found.exact[i]);
      if (violation.empty()) continue;
      complain("gate not met: " + violation);
      failed = true;
    }
  }
  return failed ? Exit::gate : Exit::ok;
}

}  // namespace
}  // namespace lepton

int main(int argc, char** argv) {
  using namespace lepton;
  return run_main("lepton-eval", [&] {
    EvalCommand command;
    CommandLine line({.name = "lepton-eval",
                      .summary = "Measures a model on labelled samples, or the predictions of any tool.",
                      .usage = "[options] MODEL.h5 DATA.h5[:split[,split]]...",
                      .example = "lepton-eval model.h5 photos.h5:test --confusion --fail-under accuracy=0.9",
                      .essential = {"predictions", "truth", "json", "per-class", "confusion", "worst", "tta", "curves",
                                    "plot", "threshold", "threshold-for", "compare", "fail-under"},
                      .depfile = false});
    add_eval_options(line, command);
    if (const auto done = line.parse(argc, argv)) return *done;
    catch_signals(false);
    return run(command, line.common());
  });
}
