#pragma once
// Evaluation of a model: its scores on splits of datasets, what is decided on them, and what of that the model keeps.
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "lepton-eval-options.h"
#include "predict/evaluate.h"
#include "predict/predictor.h"
#include "predict/reference.h"

namespace lepton {

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
};

// All that the command asks of a model, the model file written again where it says so.
ModelEvaluation evaluate_model(const EvalCommand& command, const CommonOptions& common);

}  // namespace lepton
