#pragma once
// One class against the rest: how well scores part its samples from the others, and where to cut.
// scores [n]: larger = surer of the class, finite; positive [n]: 1 where a sample is of it, else 0.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics/metrics.h"

namespace lepton {

// Area under the ROC curve, ties counting half, with DeLong's interval at 95 % (DeLong et al. 1988; by midranks, Sun
// and Xu 2014). A perfect ranking, whose variance is nil, gets Wilson's over the smaller class. nullopt: a class is
// missing.
std::optional<Estimate> roc_auc(std::span<const double> scores, std::span<const uint8_t> positive);

// Average precision, the area under the precision-recall curve without interpolation: sum of (R_k - R_(k-1)) P_k over
// falling scores. Its 95 % interval is the logit one over the positives (Boyd, Eng and Page 2013), of a perfect ranking
// Wilson's. nullopt: no positive.
std::optional<Estimate> average_precision(std::span<const double> scores, std::span<const uint8_t> positive);

// What a cut gives: positive is answered where score >= threshold.
struct CutCounts {
  int64_t tp = 0, fp = 0, fn = 0, tn = 0;
};
CutCounts count_at(std::span<const double> scores, std::span<const uint8_t> positive, double threshold);
Estimate sensitivity(const CutCounts& c);  // tp / (tp + fn), Wilson
Estimate specificity(const CutCounts& c);  // tn / (tn + fp), Wilson
Estimate precision(const CutCounts& c);    // tp / (tp + fp), Wilson
// 2 tp / (2 tp + fp + fn) = 2j / (1 + j) with the Jaccard index j = tp / (tp + fp + fn), whose Wilson interval it gets.
Estimate f1(const CutCounts& c);

// A point of a curve and the threshold that gives it.
struct CurvePoint {
  double x = 0, y = 0, threshold = 0;
};
// x = false positive rate, y = sensitivity, by falling threshold from (0, 0) at infinity; points inside straight lines
// are left out. Empty where a class is missing.
std::vector<CurvePoint> roc_curve(std::span<const double> scores, std::span<const uint8_t> positive);
// x = recall, y = precision, by falling threshold; points that find no further positive are left out.
std::vector<CurvePoint> precision_recall_curve(std::span<const double> scores, std::span<const uint8_t> positive);

// Samples whose probability lies in one of `bins` equal parts of [0, 1]; empty bins are left out.
struct CalibrationBin {
  double low = 0, confidence = 0;  // where it begins; the mean probability in it
  Estimate share;                  // of positives, Wilson
  int64_t samples = 0;
};
std::vector<CalibrationBin> calibration_bins(std::span<const double> probabilities, std::span<const uint8_t> positive,
                                             int bins = 15);

// What a threshold is to reach.
struct ThresholdRule {
  enum class Kind { recall, precision, specificity, cost };
  Kind kind = Kind::recall;
  double least = 0;                               // of recall, precision or specificity
  double false_positive = 1, false_negative = 1;  // costs
};
// recall: the highest threshold that reaches it; specificity and precision: the lowest that does; cost: the one of
// least cost, the highest of equals. Thresholds lie midway between neighbouring scores, so that rounding moves no
// sample across, and in (0, 1] for scores in [0, 1]. nullopt: none reaches it, or a class is missing.
std::optional<double> choose_threshold(const ThresholdRule& rule, std::span<const double> scores,
                                       std::span<const uint8_t> positive);

}  // namespace lepton
