#include "lepton-eval-model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "io/rows.h"
#include "metrics/temperature.h"
#include "predict/scoring.h"
#include "push/reference.h"

namespace lepton {
namespace {

// Stored answers must come back to this part of the largest logit; other engines and instruction sets round otherwise.
double selftest_tolerance(Precision precision) {
  return precision == Precision::fp32 ? 1e-3 : precision == Precision::bf16 ? 0.1 : 0.02;
}

bool trained_mirrored(const Model& model) {
  const nlohmann::json provenance = nlohmann::json::parse(model.provenance, nullptr, false);
  return provenance.is_object() && provenance.value("mirrored", false);
}

// A model of numbers: its answers beside the targets, for each target by itself.
std::vector<Evaluation> evaluate_targets(const EvalCommand& command, const Predictor& predictor, Engine& engine,
                                         const Part& part) {
  const SplitData& split = require_split(*part.dataset, part.which);
  const std::vector<int64_t> samples = labelled(split);
  if (samples.empty()) fail(Exit::no_input, "{}: no sample of {} has a target", part.dataset->path(), part.name);
  Progress progress(part.name);
  std::vector<float> outputs =
      score_samples(engine, predictor.graph, predictor.graph.output(), split, samples, command.batch, plain_view(),
                    [&](int64_t done) { progress.update(done, std::ssize(samples)); });
  predictor.to_units(outputs);
  const size_t targets = predictor.model.classes.size();
  std::vector<Evaluation> evaluations;
  for (size_t t = 0; t < targets; ++t) {
    std::vector<double> truth, predicted;
    for (size_t i = 0; i < samples.size(); ++i) {
      const float value = split.targets()[static_cast<size_t>(samples[i]) * targets + t];
      if (std::isnan(value)) continue;
      truth.push_back(static_cast<double>(value));
      predicted.push_back(static_cast<double>(outputs[i * targets + t]));
    }
    Evaluation& e = evaluations.emplace_back(evaluate_numbers(truth, predicted));
    e.name = targets == 1 ? part.name : part.name + ":" + predictor.model.classes[t];
    e.unlabelled = split.size() - e.samples;
  }
  return evaluations;
}

void require_plain(const EvalCommand& command) {
  const bool of_classes = command.choosing() || !command.threshold.empty() || !command.positive.empty() ||
                          command.confusion || command.per_class || command.worst > 0 || !command.curves.empty() ||
                          !command.plot.empty() || !command.compare.empty() || command.tta;
  if (!of_classes) return;
  fail(Exit::usage, "{}: predicts numbers: options on classes, thresholds, curves and views are not for it",
       command.operands[0]);
}

ScoredSplit score_split(const EvalCommand& command, const Predictor& predictor, Engine& engine, const Part& part) {
  const SplitData& split = require_split(*part.dataset, part.which);
  const std::vector<int32_t> class_of = map_classes(predictor, *part.dataset);
  const std::vector<int64_t> samples = labelled(split);
  if (samples.empty()) fail(Exit::no_input, "{}: no sample of {} has a label", part.dataset->path(), part.name);
  const std::vector<WeightedView> views =
      command.tta ? test_time_views(trained_mirrored(predictor.model)) : plain_view();
  ScoredSplit scored{part.name, part.which, split.size() - std::ssize(samples), {}, {}, {}};
  Progress progress(part.name);
  scored.logits = score_samples(engine, predictor.graph, predictor.graph.output(), split, samples, command.batch, views,
                                [&](int64_t done) { progress.update(done, std::ssize(samples)); });
  for (const int64_t i : samples) {
    scored.truth.push_back(class_of[static_cast<size_t>(split.labels()[static_cast<size_t>(i)])]);
  }
  scored.id = [&split, samples](size_t i) { return split.id(samples[i]); };
  return scored;
}

std::vector<ScoredSplit> score_parts(const EvalCommand& command, const CommonOptions& common,
                                     const Predictor& predictor, const std::string& name,
                                     const std::vector<Part>& parts) {
  if (command.tta && predictor.recipe->type() != ElementType::u8) fail(Exit::usage, "--tta is for images");
  const std::unique_ptr<Engine> engine = checked_engine(command, common, predictor, name);
  std::vector<ScoredSplit> scored;
  scored.reserve(parts.size());
  for (const Part& part : parts) scored.push_back(score_split(command, predictor, *engine, part));
  return scored;
}

// What is chosen on a split looks better there than it is.
void warn_of_choice(const ScoredSplit& split) {
  if (split.which == Split::test) {
    warn(split.name + ": chosen on test samples: they no longer tell how good that is; use val");
  }
  if (split.which == Split::train) {
    warn(split.name + ": chosen on training samples, of which the model is surer than of others; use val");
  }
}

double fitted_temperature(const ScoredSplit& split, int64_t classes) {
  const auto found = fit_temperature(split.logits, split.truth, classes);
  if (!found) {
    fail(Exit::failed,
         "--calibrate: the {} samples of {} determine no temperature: all are right, or no better than "
         "guessed",
         split.truth.size(), split.name);
  }
  return std::stod(significant(*found, 6));
}

double chosen_threshold(const std::string& text, const ScoredSplit& split, const Decision& decision, int64_t classes) {
  const ThresholdRule rule = parse_threshold_rule(text);
  if (decision.positive < 0) fail(Exit::usage, "--threshold-for: needs two classes; the model has {}", classes);
  const std::vector<float> probabilities = softmax(split.logits, classes, decision.temperature);
  const auto found = choose_threshold(rule, class_column(probabilities, classes, decision.positive),
                                      is_of_class(split.truth, decision.positive));
  if (!found) {
    fail(Exit::failed,
         "--threshold-for {}: no threshold reaches it on the {} samples of {}, or a class is missing there", text,
         split.truth.size(), split.name);
  }
  return *found;
}

// Temperature and threshold now in force, as the model would keep them.
Calibration decide_on(const EvalCommand& command, const Model& model, const ScoredSplit& first, Decision& decision) {
  const auto classes = std::ssize(model.classes);
  Calibration calibration = read_calibration(model);
  if (command.choosing()) warn_of_choice(first);
  if (command.calibrate) {
    if (!change_temperature(calibration, fitted_temperature(first, classes), classes)) {
      warn("the stored threshold was for probabilities as they were, and goes");
    }
    decision.temperature = calibration.temperature;
    if (command.threshold == "model") decision.threshold = calibration.threshold;
  }
  if (!command.threshold_for.empty()) {
    decision.threshold = chosen_threshold(command.threshold_for, first, decision, classes);
    calibration.rule = command.threshold_for;
  } else if (!command.threshold.empty() && command.threshold != "model") {
    calibration.rule.clear();
  }
  if (decision.threshold && command.threshold != "model") {
    calibration.threshold = decision.threshold;
    calibration.positive = decision.positive < 0 ? "" : model.classes[static_cast<size_t>(decision.positive)];
  }
  return calibration;
}

std::vector<uint8_t> right_answers(const ScoredSplit& split, const Decision& decision, int64_t classes) {
  const std::vector<int32_t> answers = answers_of(decision, split.logits, classes);
  std::vector<uint8_t> right(answers.size());
  std::transform(answers.begin(), answers.end(), split.truth.begin(), right.begin(), std::equal_to{});
  return right;
}

// What the temperature changed, beside what it gives.
void add_before(Evaluation& evaluation, const ScoredSplit& split, int64_t classes, double before) {
  const std::vector<float> probabilities = softmax(split.logits, classes, before);
  const double loss = log_loss(probabilities, split.truth, classes);
  const double ece = calibration_error(probabilities, split.truth, classes);
  evaluation.metrics.push_back({"log_loss_before", {loss, loss, loss}});
  evaluation.metrics.push_back({"ece_before", {ece, ece, ece}});
}

void write_calibration(const std::string& path, Model model, const Calibration& calibration) {
  model.calibration = calibration_json(calibration);
  write_model(path, model);
  note(path + ": stored " + model.calibration);
}

}  // namespace

std::vector<Part> open_parts(const EvalCommand& command, std::deque<Dataset>& datasets) {
  std::vector<Part> parts;
  for (size_t i = 1; i < command.operands.size(); ++i) {
    const std::string operand = local_copy(command.operands[i], stop_requested);
    DatasetReference reference = parse_dataset_reference(operand);
    const Dataset& dataset = datasets.emplace_back(Dataset::open(reference.path));
    if (i == 1 && reference.path == operand && (command.choosing() || command.measuring())) {
      const bool training = !command.choosing() && dataset.split(Split::val) == nullptr;
      reference.splits = {training ? Split::train : Split::val};
    }
    for (const Split which : reference.splits) {
      require_split(dataset, which);
      const std::string split = kSplitNames[static_cast<size_t>(which)];
      parts.push_back({&dataset, which, command.operands.size() == 2 ? split : reference.path + ":" + split});
    }
  }
  return parts;
}

std::unique_ptr<Engine> checked_engine(const EvalCommand& command, const CommonOptions& common,
                                       const Predictor& predictor, const std::string& name) {
  const Precision precision = *parse_precision(command.precision);
  std::unique_ptr<Engine> engine =
      predictor.compile_for(command.batch, {common.device, common.threads, precision, common.memory_limit});
  detail(why_not_a_gpu(common.device) + engine->describe());
  for (const std::string& warning : {gpu_warning(common.device), precision_warning(common.device, precision)}) {
    if (!warning.empty()) warn(warning);
  }
  if (command.in_int8()) return engine;
  if (const double error = selftest_error(predictor, *engine); !(error < selftest_tolerance(precision))) {
    fail(Exit::integrity,
         "{}: the model's self-test fails: answers differ from the stored ones by {:.2g} of the largest: the file is "
         "damaged, or this device computes wrongly",
         name, error);
  }
  return engine;
}

namespace {

EvalCommand in_fp32(EvalCommand command) {
  command.precision = "fp32";
  return command;
}

// The ranges of int8, from samples spread over the first split that the command names.
void measure(const EvalCommand& command, const CommonOptions& common, Predictor& predictor, const Part& part) {
  constexpr int64_t kSamples = 512, kBatch = 32;
  const SplitData& split = require_split(*part.dataset, part.which);
  const int64_t count = std::min(split.size(), kSamples);
  if (count == 0) fail(Exit::no_input, "{}: {} has no sample", part.dataset->path(), part.name);
  if (part.which == Split::test) warn(part.name + ": int8 measured on test samples; use val");
  std::vector<int64_t> samples(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) samples[static_cast<size_t>(i)] = i * split.size() / count;
  EvalCommand exact = in_fp32(command);
  exact.batch = kBatch;
  const std::unique_ptr<Engine> engine = checked_engine(exact, common, predictor, command.operands[0]);
  Calibration calibration = read_calibration(predictor.model);
  calibration.int8 = measure_ranges(*engine, predictor.graph, split, samples, kBatch);
  predictor.model.calibration = calibration_json(calibration);
  note(fmt::format("{}: the ranges of {} layers' values measured on {} samples", part.name, calibration.int8->size(),
                   count));
}

// What int8 costs: the metric in fp32 beside, and how much worse int8 is.
void add_exact(Evaluation& evaluation, const Evaluation& exact, const std::string& metric, bool smaller_is_better) {
  const double now = *evaluation.value(metric), before = *exact.value(metric);
  const double drop = smaller_is_better ? now - before : before - now;
  evaluation.metrics.push_back({metric + "_fp32", {before, before, before}});
  evaluation.metrics.push_back({metric + "_drop", {drop, drop, drop}});
}

}  // namespace

ModelEvaluation evaluate_model(const EvalCommand& command, const CommonOptions& common) {
  ModelEvaluation result;
  const std::string& path = command.operands[0];
  const std::string local = local_copy(path, stop_requested);
  if (command.write && (local == "-" || local != path)) fail(Exit::usage, "--write: {} is no file", path);
  Predictor predictor = Predictor::load(local);
  std::optional<Predictor> other;
  if (!command.compare.empty()) other = Predictor::load(local_copy(command.compare, stop_requested));
  const Model& model = predictor.model;
  result.stored_metrics = model.metrics;
  result.classes = model.classes;
  const auto classes = std::ssize(model.classes);
  result.decision = decision_of(model, command.threshold, command.positive);
  const Decision other_decision = other ? decision_of(other->model, command.threshold, command.positive) : Decision{};

  const std::vector<Part> parts = open_parts(command, result.datasets);  // all before an engine starts its threads
  for (const Part& part : parts) {
    for (const Predictor* p : {&predictor, other ? &*other : &predictor}) {
      check_samples(*p, *part.dataset);
      map_classes(*p, *part.dataset);
    }
  }
  if (predictor.regression()) require_plain(command);
  if (command.measuring()) measure(command, common, predictor, parts[0]);
  if (predictor.regression()) {
    const auto all = [&](const EvalCommand& how) {
      const std::unique_ptr<Engine> engine = checked_engine(how, common, predictor, path);
      std::vector<Evaluation> found;
      for (const Part& part : parts) {
        for (Evaluation& e : evaluate_targets(how, predictor, *engine, part)) found.push_back(std::move(e));
      }
      return found;
    };
    result.evaluations = all(command);
    if (command.in_int8()) result.exact = all(in_fp32(command));
    for (size_t i = 0; i < result.exact.size(); ++i) add_exact(result.evaluations[i], result.exact[i], "rmse", true);
    if (command.measuring()) write_calibration(path, model, read_calibration(model));
    return result;
  }
  result.splits = score_parts(command, common, predictor, path, parts);
  const double before = result.decision.temperature;
  const Calibration calibration = decide_on(command, model, result.splits[0], result.decision);
  std::vector<ScoredSplit> others, exact;
  if (other) others = score_parts(command, common, *other, command.compare, parts);
  if (command.in_int8()) exact = score_parts(in_fp32(command), common, predictor, path, parts);

  const EvaluationOptions options{.top = command.top, .worst = command.worst, .decision = result.decision};
  for (size_t i = 0; i < result.splits.size(); ++i) {
    const ScoredSplit& split = result.splits[i];
    Evaluation e = evaluate_scores(model.classes, split.truth, split.logits, split.id, options);
    e.name = split.name;
    e.unlabelled = split.unlabelled;
    if (command.calibrate) add_before(e, split, classes, before);
    if (command.in_int8()) {
      result.exact.push_back(evaluate_scores(model.classes, split.truth, exact[i].logits, split.id, options));
      add_exact(e, result.exact.back(), "accuracy", false);
    }
    if (other) {
      add_comparison(e, right_answers(split, result.decision, classes),
                     right_answers(others[i], other_decision, std::ssize(other->model.classes)));
    }
    result.evaluations.push_back(std::move(e));
  }
  if (command.write) write_calibration(path, model, calibration);
  return result;
}

}  // namespace lepton
