#pragma once
// Pure functions on labels and scores. Samples labelled -1 are left out by the caller.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lepton {

// A value with the ends of its 95 % interval (equal to the value where none is defined).
struct Estimate {
  double value = 0, low = 0, high = 0;
};

// successes of trials with Wilson's score interval at 95 % (Wilson 1927); trials 0 gives {0, 0, 1}.
Estimate proportion(int64_t successes, int64_t trials);

// Row-wise softmax of logits [n, classes] / temperature, in double precision, largest logit subtracted first.
std::vector<float> softmax(std::span<const float> logits, int64_t classes, double temperature = 1);

// Index of the largest value of each row; the first of equals.
std::vector<int32_t> argmax(std::span<const float> scores, int64_t classes);

// Samples whose label is among their k best scores; ties count by class order, as argmax.
int64_t count_top(std::span<const float> scores, std::span<const int32_t> labels, int64_t classes, int64_t k);

// counts[truth * classes + predicted].
std::vector<int64_t> confusion(std::span<const int32_t> truth, std::span<const int32_t> predicted, int64_t classes);

struct ClassScore {
  int64_t support = 0, predicted = 0, hits = 0;
  double precision = 0, recall = 0, f1 = 0;  // 0 where the denominator is 0
};
std::vector<ClassScore> class_scores(std::span<const int64_t> counts, int64_t classes);

// Mean F1 over the classes that occur in truth or prediction.
double macro_f1(std::span<const ClassScore> scores);

// Mean recall over the classes that occur in truth; with two classes the mean of sensitivity and specificity.
double balanced_accuracy(std::span<const ClassScore> scores);

// Correlation of truth and answer over counts [classes, classes] (Matthews 1975; for several classes R_K, Gorodkin
// 2004); 0 where all are of one class or all answers are.
double matthews_correlation(std::span<const int64_t> counts, int64_t classes);

// Share of the most frequent class: what answering always the same reaches.
Estimate majority_baseline(std::span<const int32_t> truth, int64_t classes);

// Mean of -log p(label), p bounded below by 1e-12.
double log_loss(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes);

// Whether the probabilities say nothing about their samples: all have the same best class although there are several
// classes, and the log-loss is no lower than that of the probabilities' own mean, given to every sample alike. No mean
// gets below the entropy of the classes' shares. So a model of unbalanced data that always names the frequent class but
// is surer where that is right knows something, however a smoothed or weighted loss has bent its probabilities.
bool says_nothing(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes);

// Expected calibration error over 15 equal bins of the largest probability (Guo et al. 2017).
double calibration_error(std::span<const float> probabilities, std::span<const int32_t> labels, int64_t classes);

}  // namespace lepton
