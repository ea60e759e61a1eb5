#include "predict/decision.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

bool is_share(double value) { return value >= 0 && value <= 1; }

double share_of(const std::string& option, const std::string& text, const std::string& whole) {
  const auto value = parse_double(text);
  if (!value || !is_share(*value)) fail(Exit::usage, "{} {}: expected a number from 0 to 1", option, whole);
  return *value;
}

bool says_no(const std::string& name) {
  std::string lower;
  for (const char c : name) lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  const std::string word = lower.substr(0, lower.find_first_of(" _-", 1));
  const std::vector<std::string>& names = negative_names();
  return std::find(names.begin(), names.end(), lower) != names.end() ||
         ((word == "no" || word == "not" || word == "non" || word == "without") && word != lower);
}

}  // namespace

const std::vector<std::string>& negative_names() {
  static const std::vector<std::string> kNames = {"0",      "-1",         "absent", "background", "benign",  "control",
                                                  "false",  "genuine",    "good",   "ham",        "healthy", "intact",
                                                  "legit",  "legitimate", "neg",    "negative",   "no",      "none",
                                                  "normal", "not",        "ok",     "other",      "pass"};
  return kNames;
}

int32_t positive_class(const std::vector<std::string>& classes, const std::string& name) {
  if (name.empty()) {
    if (classes.size() != 2) return -1;
    return says_no(classes[1]) && !says_no(classes[0]) ? 0 : 1;
  }
  if (classes.size() != 2) {
    fail(Exit::usage, "--positive {}: there are {} classes; a positive one is for two", name, classes.size());
  }
  const auto it = std::find(classes.begin(), classes.end(), name);
  if (it == classes.end()) {
    fail(Exit::usage, "--positive {}: the classes are '{}' and '{}'", name, classes[0], classes[1]);
  }
  return static_cast<int32_t>(it - classes.begin());
}

Calibration read_calibration(const Model& model) {
  Calibration c;
  if (model.calibration.empty()) return c;
  try {
    const nlohmann::json json = nlohmann::json::parse(model.calibration);
    c.temperature = json.value("temperature", 1.0);
    if (json.contains("threshold")) c.threshold = json["threshold"].get<double>();
    c.positive = json.value("positive", "");
    c.rule = json.value("rule", "");
    if (json.contains("int8")) c.int8 = json["int8"].get<NodeRanges>();
  } catch (const nlohmann::json::exception& error) {
    fail(Exit::mismatch, "the model's calibration: {}", error.what());
  }
  const std::vector<std::string>& classes = model.classes;
  if (!(c.temperature > 0 && std::isfinite(c.temperature))) {
    fail(Exit::mismatch, "the model's calibration: a temperature of {}", c.temperature);
  }
  if (c.threshold && !is_share(*c.threshold)) {
    fail(Exit::mismatch, "the model's calibration: a threshold of {}", *c.threshold);
  }
  for (const auto& [name, range] : c.int8.value_or(NodeRanges{})) {
    if (!(range > 0 && std::isfinite(range))) {
      fail(Exit::mismatch, "the model's calibration: an int8 range of {} for {}", range, name);
    }
  }
  const bool known = std::find(classes.begin(), classes.end(), c.positive) != classes.end();
  if (c.positive.empty() ? c.threshold && classes.size() == 2 : !known || classes.size() != 2) {
    fail(Exit::mismatch, "the model's calibration: '{}' is no positive class of its {}", c.positive, classes.size());
  }
  return c;
}

std::string calibration_json(const Calibration& calibration) {
  nlohmann::ordered_json json;
  json["temperature"] = calibration.temperature;
  if (calibration.threshold) json["threshold"] = *calibration.threshold;
  if (!calibration.positive.empty()) json["positive"] = calibration.positive;
  if (!calibration.rule.empty()) json["rule"] = calibration.rule;
  if (calibration.int8) json["int8"] = *calibration.int8;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool change_temperature(Calibration& calibration, double temperature, int64_t classes) {
  const double ratio = calibration.temperature / temperature;
  calibration.temperature = temperature;
  if (!calibration.threshold) return true;
  if (classes != 2) {
    calibration.threshold.reset();
    calibration.rule.clear();
    return false;
  }
  // Logits are divided, and so is the threshold's.
  const double t = *calibration.threshold;
  if (t > 0 && t < 1) calibration.threshold = 1 / (1 + std::pow((1 - t) / t, ratio));
  return true;
}

int32_t decide(const Decision& decision, std::span<const float> probabilities) {
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  const auto index = static_cast<int32_t>(best - probabilities.begin());
  if (!decision.threshold) return index;
  if (probabilities.size() == 2 && decision.positive >= 0) {
    const auto score = static_cast<double>(probabilities[static_cast<size_t>(decision.positive)]);
    return score >= *decision.threshold ? decision.positive : 1 - decision.positive;
  }
  return static_cast<double>(*best) >= *decision.threshold ? index : -1;
}

Decision decision_of(const Model& model, const std::string& threshold, const std::string& positive) {
  const Calibration stored = read_calibration(model);
  Decision d{stored.temperature, {}, positive_class(model.classes, positive.empty() ? stored.positive : positive)};
  if (threshold.empty()) return d;
  if (threshold != "model") {
    d.threshold = share_of("--threshold", threshold, threshold + " (or `model`)");
    return d;
  }
  if (!stored.threshold) {
    fail(Exit::mismatch, "the model stores no threshold; lepton-eval --threshold-for RULE --write chooses one");
  }
  d.threshold = stored.threshold;
  if (!positive.empty() && positive != stored.positive) {
    fail(Exit::mismatch, "--positive {}: the model's threshold is for '{}'", positive, stored.positive);
  }
  return d;
}

ThresholdRule parse_threshold_rule(const std::string& text) {
  using Kind = ThresholdRule::Kind;
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals), value = equals == std::string::npos ? "" : text.substr(equals + 1);
  ThresholdRule rule;
  if (name == "cost") {
    rule.kind = Kind::cost;
    int found = 0;
    for (const std::string& part : split(value, ',')) {
      const double cost = part.size() > 3 ? parse_double(part.substr(3)).value_or(-1) : -1;
      const bool fp = part.starts_with("FP:"), fn = part.starts_with("FN:");
      if (!(fp || fn) || !(cost >= 0) || !std::isfinite(cost)) {
        fail(Exit::usage, "--threshold-for {}: expected costs such as cost=FP:1,FN:5", text);
      }
      (fp ? rule.false_positive : rule.false_negative) = cost;
      found |= fp ? 1 : 2;
    }
    if (found != 3) fail(Exit::usage, "--threshold-for {}: expected both costs, such as cost=FP:1,FN:5", text);
    return rule;
  }
  if (name == "recall" || name == "sensitivity") {
    rule.kind = Kind::recall;
  } else if (name == "precision") {
    rule.kind = Kind::precision;
  } else if (name == "specificity") {
    rule.kind = Kind::specificity;
  } else {
    fail(Exit::usage, "--threshold-for {}: expected recall=, precision=, specificity= or cost=FP:1,FN:5", text);
  }
  rule.least = share_of("--threshold-for", value, text);
  return rule;
}

}  // namespace lepton
