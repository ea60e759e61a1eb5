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
#include "predict/decision.h"

namespace lepton {

// A sample among the worst answered.
struct WorstSample {
  std::string id;
  int32_t truth = 0, predicted = 0;  // predicted -1: undecided
  double score = 0;                  // of the label given, or of the best
  double truth_score = 0;            // of the right one; NaN where unknown
};

struct Evaluation {
  std::string name;  // "test"
  std::vector<std::string> classes;
  int64_t samples = 0;     // with a label
  int64_t unlabelled = 0;  // left out
  int64_t unanswered = 0;  // without a usable answer: count as wrong
  int32_t positive = -1;   // of two classes the one that sensitivity and the areas are of
  // Those that can be computed, in this order: accuracy, topK, majority_baseline, macro_f1, balanced_accuracy, mcc; of
  // two classes sensitivity, specificity, precision, f1, roc_auc, pr_auc, of more macro_roc_auc, macro_pr_auc;
  // log_loss, ece. Of numbers: mae, rmse, r2.
  std::vector<std::pair<std::string, Estimate>> metrics;
  std::vector<int64_t> confusion;     // [classes, columns] truth by answer
  int64_t columns = 0;                // classes, and one more for "no answer" where that occurs
  std::vector<ClassScore> per_class;  // [classes]
  // [classes] each against the rest, or empty without scores; nullopt where a class is missing.
  std::vector<std::optional<Estimate>> class_roc_auc, class_pr_auc;
  std::vector<WorstSample> worst;  // worst first

  // A metric by name; also recall:, precision:, f1:, roc_auc: and pr_auc:CLASS. nullopt: there is no such one.
  std::optional<double> value(const std::string& metric) const;
};

struct EvaluationOptions {
  int64_t top = 5;         // the k of top-k; left out where there are no more classes than that
  int64_t worst = 0;       // samples to keep in `worst`
  Decision decision{};     // of scores
  std::string positive{};  // of labels: of two classes the positive one; "" = as positive_class() chooses
};

// What is answered to logits [n, classes]: [n] class indices, or -1.
std::vector<int32_t> answers_of(const Decision& decision, std::span<const float> logits, int64_t classes);

// Another model's answers beside: other_accuracy, accuracy_difference, mcnemar_p, only_this_right, only_other_right.
// right: [samples], whether each has the sample right.
void add_comparison(Evaluation& evaluation, std::span<const uint8_t> right, std::span<const uint8_t> other_right);

// truth: [n] class indices; logits: [n, classes]; id names sample i. Error(no_input) when n is 0.
Evaluation evaluate_scores(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                           std::span<const float> logits, const std::function<std::string(size_t)>& id,
                           const EvaluationOptions& options);

// truth, predicted: [n] numbers, the units alike. Error(no_input) when n is 0.
Evaluation evaluate_numbers(std::span<const double> truth, std::span<const double> predicted);

// The probability of class c of each sample, from those of all, [n, classes]; and whether it is of that class.
std::vector<double> class_column(std::span<const float> probabilities, int64_t classes, int32_t c);
// The same from logits [n, 2], in double precision, for ranking: single precision takes all above 1 - 6e-8 for 1.
std::vector<double> fine_class_column(std::span<const float> logits, double temperature, int32_t c);
std::vector<uint8_t> is_of_class(std::span<const int32_t> truth, int32_t c);

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
