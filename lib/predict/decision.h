#pragma once
// How scores become labels: a model's temperature, a threshold and the class it is for; /meta/calibration.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/model.h"
#include "metrics/ranking.h"
#include "predict/ranges.h"

namespace lepton {

// What a model file keeps of it, as JSON.
struct Calibration {
  double temperature = 1;               // probabilities are softmax(logits / temperature)
  std::optional<double> threshold;      // 0 to 1
  std::string positive;                 // of two classes the one the threshold is for; "" with more
  std::string rule;                     // how the threshold was chosen: "recall=0.95"
  std::optional<NodeRanges> int8 = {};  // what int8 inference needs; nullopt: not measured
};
// That of a model, or as if there were none. Error(mismatch) for a temperature, threshold, class or range that is none.
Calibration read_calibration(const Model& model);
std::string calibration_json(const Calibration& calibration);
// Sets another temperature. Of two classes a threshold is moved along, so that it parts the same samples; with more it
// cannot be and goes: false.
bool change_temperature(Calibration& calibration, double temperature, int64_t classes);

// How samples are answered now.
struct Decision {
  double temperature = 1;
  std::optional<double> threshold;
  int32_t positive = -1;  // class index; -1 unless there are two classes
};
// Of a row of probabilities: without a threshold the most probable class, the first of equals. With one: of two classes
// the positive one where its probability is at least the threshold, else the other; of more the most probable one, or
// -1 (undecided) if it is less probable than that.
int32_t decide(const Decision& decision, std::span<const float> probabilities);

// The positive class of two: `name` if it is given (Error(usage) for a class that is none, or if there are not two),
// else the second, unless its name says no (normal, no, negative, healthy, ham, 0, ...) and the first one's does not.
// -1 if there are not two classes and no name is given.
int32_t positive_class(const std::vector<std::string>& classes, const std::string& name = "");
const std::vector<std::string>& negative_names();  // of classes, in lower case; also as a first word: "no tumor"

// threshold: "", "model" or a number from 0 to 1; Error(usage), or Error(mismatch) where the model stores none.
Decision decision_of(const Model& model, const std::string& threshold, const std::string& positive);

// "recall=0.95", "precision=0.9", "specificity=0.99" or "cost=FP:1,FN:5"; Error(usage).
ThresholdRule parse_threshold_rule(const std::string& text);

}  // namespace lepton
