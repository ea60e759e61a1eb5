#pragma once
// Evaluation of a model: its scores on splits of datasets, what is decided on them, and what of that the model keeps.
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lepton-eval-options.h"
#include "predict/evaluate.h"
#include "predict/predictor.h"
#include "predict/reference.h"

namespace lepton {

struct Part {
  const Dataset* dataset;
  Split which;
  std::string name;
};
// The splits that the command names; of one that it chooses something on, val where no split is named.
std::vector<Part> open_parts(const EvalCommand& command, std::deque<Dataset>& datasets);

// An engine whose answers to the model's self-test are the stored ones; `name` for messages. Error(integrity). In int8,
// which is made for a network's real inputs and not for the test's noise, nothing is tested: fp32 is, beside it.
std::unique_ptr<Engine> checked_engine(const EvalCommand& command, const CommonOptions& common,
                                       const Predictor& predictor, const std::string& name);

// A split's labelled samples and a model's scores of them.
struct ScoredSplit {
  std::string name;
  Split which = Split::test;
  int64_t unlabelled = 0;
  std::vector<int32_t> truth;  // [n] class indices of the model
  std::vector<float> logits;   // [n, classes]
  std::function<std::string(size_t)> id;
};

struct ModelEvaluation {
  std::deque<Dataset> datasets;  // which ids are read from
  std::string stored_metrics;    // of the model, JSON
  std::vector<std::string> classes;
  Decision decision;
  std::vector<ScoredSplit> splits;
  std::vector<Evaluation> evaluations;  // of each split
  std::vector<Evaluation> exact;        // the same in fp32, where it was in int8
};

// All that the command asks of a model, the model file written again where it says so.
ModelEvaluation evaluate_model(const EvalCommand& command, const CommonOptions& common);

// --importance: what a model of tables loses when a column's values are shuffled among the samples, TSV of split,
// metric, column, drop and its interval. The metric is ROC-AUC of two classes, accuracy of more, RMSE of numbers.
std::string importance_text(const EvalCommand& command, const CommonOptions& common);

}  // namespace lepton
