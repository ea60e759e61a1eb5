// lepton-eval: how good a model, or any tool's predictions, are; and whether that is good enough.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/lock.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "io/files.h"
#include "lepton-eval-options.h"
#include "predict/reference.h"
#include "predict/report.h"
#include "predict/scoring.h"
#include "push/reference.h"

namespace lepton {
namespace {

// Stored answers must come back to this part of the largest logit; other engines and instruction sets round otherwise.
constexpr double kSelftestTolerance = 1e-3;

struct EvalJob {
  const EvalCommand& command;
  const CommonOptions& common;
  EvaluationOptions options;
};

bool trained_mirrored(const Model& model) {
  const nlohmann::json provenance = nlohmann::json::parse(model.provenance, nullptr, false);
  return provenance.is_object() && provenance.value("mirrored", false);
}

Evaluation evaluate_split(const EvalJob& job, const Predictor& predictor, Engine& engine, const Dataset& dataset,
                          Split which, const std::string& name) {
  const SplitData& split = require_split(dataset, which);
  const std::vector<int32_t> class_of = map_classes(predictor, dataset);
  const std::vector<int64_t> samples = labelled(split);
  if (samples.empty()) fail(Exit::no_input, "{}: no sample of {} has a label", dataset.path(), name);
  const std::vector<WeightedView> views =
      job.command.tta ? test_time_views(trained_mirrored(predictor.model)) : plain_view();
  Progress progress(name);
  const std::vector<float> logits =
      score_samples(engine, predictor.graph, predictor.graph.output(), split, samples, job.command.batch, views,
                    [&](int64_t done) { progress.update(done, std::ssize(samples)); });
  std::vector<int32_t> truth;
  truth.reserve(samples.size());
  for (const int64_t i : samples) {
    truth.push_back(class_of[static_cast<size_t>(split.labels()[static_cast<size_t>(i)])]);
  }
  Evaluation e = evaluate_scores(
      predictor.model.classes, truth, logits, [&](size_t i) { return split.id(samples[i]); }, job.options);
  e.name = name;
  e.unlabelled = split.size() - std::ssize(samples);
  return e;
}

std::vector<Evaluation> evaluate_model(const EvalJob& job, const Predictor& predictor) {
  std::vector<Dataset> datasets;
  std::vector<DatasetReference> references;
  for (size_t i = 1; i < job.command.operands.size(); ++i) {  // all before the engine starts its threads
    references.push_back(parse_dataset_reference(local_copy(job.command.operands[i], stop_requested)));
    datasets.push_back(Dataset::open(references.back().path));
    check_samples(predictor, datasets.back());
    map_classes(predictor, datasets.back());
    for (const Split which : references.back().splits) require_split(datasets.back(), which);
  }
  const std::unique_ptr<Engine> engine =
      predictor.compile_for(job.command.batch, job.common.device, job.common.threads);
  detail(why_not_a_gpu(job.common.device) + engine->describe());
  if (const std::string warning = gpu_warning(job.common.device); !warning.empty()) warn(warning);
  if (const double error = selftest_error(predictor.model, *engine, predictor.graph); !(error < kSelftestTolerance)) {
    fail(Exit::integrity,
         "{}: the model's self-test fails: answers differ from the stored ones by {:.2g} of the largest: the file is "
         "damaged, or this device computes wrongly",
         job.command.operands[0], error);
  }
  std::vector<Evaluation> evaluations;
  for (size_t d = 0; d < datasets.size(); ++d) {
    for (const Split which : references[d].splits) {
      const std::string split = kSplitNames[static_cast<size_t>(which)];
      const std::string name = datasets.size() == 1 ? split : references[d].path + ":" + split;
      evaluations.push_back(evaluate_split(job, predictor, *engine, datasets[d], which, name));
    }
  }
  return evaluations;
}

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

Evaluation evaluate_predictions(const EvalJob& job) {
  const std::vector<LabelRow> truth = read_labels(job.command.truth), given = read_labels(job.command.predictions);
  int64_t strangers = 0;
  Evaluation e = evaluate_labels(truth, given, job.options, strangers);
  e.name = "predictions";
  if (strangers > 0) warn(fmt::format("{} predictions are of ids that {} lacks", strangers, job.command.truth));
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
  if (labels && (!c.max_drop.empty() || c.tta)) fail(Exit::usage, "--max-drop and --tta need a model");
  if (!labels && c.operands.empty()) fail(Exit::usage, "no model given; see --help");
  if (!labels && c.operands.size() < 2) fail(Exit::usage, "no dataset given: name one as DATA.h5 or DATA.h5:test");
  const auto stdin_named = std::count_if(c.operands.begin(), c.operands.end(), names_stdin);
  if (stdin_named + (c.predictions == "-") + names_stdin(c.truth) > 1) {
    fail(Exit::usage, "- (standard input) is named twice");
  }
}

Exit run(const EvalCommand& command, const CommonOptions& common) {
  check_command(command);
  const std::vector<Gate> gates = gates_of(command);
  const Lock lock(common.lock, common.lock_wait);
  const EvalJob job{command, common, {.top = command.top, .worst = command.worst}};
  std::vector<Evaluation> evaluations;
  std::string stored;
  if (command.predictions.empty()) {
    const Predictor predictor = Predictor::load(local_copy(command.operands[0], stop_requested));
    stored = predictor.model.metrics;
    evaluations = evaluate_model(job, predictor);
  } else {
    evaluations.push_back(evaluate_predictions(job));
  }
  const ReportStyle style{.aligned = stdout_is_terminal(),
                          .per_class = command.per_class,
                          .confusion = command.confusion,
                          .worst = command.worst > 0};
  print(command.json ? report_json(evaluations, style) : report_text(evaluations, style));
  flush_output();
  bool failed = false;
  for (const Evaluation& e : evaluations) {
    for (const Gate& gate : gates) {
      const std::string violation = gate_violation(gate, e, stored);
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
                      .essential = {"predictions", "truth", "json", "per-class", "confusion", "worst", "tta",
                                    "fail-under", "fail-over", "max-drop"},
                      .depfile = false});
    add_eval_options(line, command);
    if (const auto done = line.parse(argc, argv)) return *done;
    catch_signals(false);
    return run(command, line.common());
  });
}
