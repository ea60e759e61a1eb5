#pragma once
// Measures of how well labels were found: from a model's scores, or from labels any tool wrote.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "metrics/metrics.h"

namespace lepton {

// A sample among the worst answered.
struct WorstSample {
  std::string id;
  int32_t truth = 0, predicted = 0;
  double score = 0;        // of the label given
  double truth_score = 0;  // of the right one; NaN where unknown
};

struct Evaluation {
  std::string name;  // "test"
  std::vector<std::string> classes;
  int64_t samples = 0;     // with a label
  int64_t unlabelled = 0;  // left out
  int64_t unanswered = 0;  // without a usable answer: count as wrong
  // accuracy, topK, majority_baseline, macro_f1, log_loss, ece: those that can be computed, in this order.
  std::vector<std::pair<std::string, Estimate>> metrics;
  std::vector<int64_t> confusion;     // [classes, columns] truth by answer
  int64_t columns = 0;                // classes, and one more for "no answer" where that occurs
  std::vector<ClassScore> per_class;  // [classes]
  std::vector<WorstSample> worst;     // worst first

  // A metric by name; also recall:CLASS, precision:CLASS and f1:CLASS. nullopt: there is no such one.
  std::optional<double> value(const std::string& metric) const;
};

struct EvaluationOptions {
  int64_t top = 5;    // the k of top-k; left out where there are no more classes than that
  int64_t worst = 0;  // samples to keep in `worst`
};

// truth: [n] class indices; logits: [n, classes]; id names sample i. Error(no_input) when n is 0.
Evaluation evaluate_scores(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                           std::span<const float> logits, const std::function<std::string(size_t)>& id,
                           const EvaluationOptions& options);

// A label as a file has it.
struct LabelRow {
  std::string id, label;  // label "": no answer
  std::optional<double> score;
};

// TSV of id, label and perhaps score, as lepton-infer writes it (a header line is known by its names), or its JSON
// lines. Error(mismatch) names file and line.
std::vector<LabelRow> parse_labels(const std::string& text, const std::string& name);

// Joined by id. Classes are all labels that occur, sorted, numbers by value. Error(mismatch) for an id that stands
// twice in one list, or when no id is in both; predictions without truth are ignored and counted in `strangers`.
Evaluation evaluate_labels(std::span<const LabelRow> truth, std::span<const LabelRow> predictions,
                           const EvaluationOptions& options, int64_t& strangers);

}  // namespace lepton
