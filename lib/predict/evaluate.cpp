#include "predict/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"

namespace lepton {
namespace {

Estimate exactly(double value) { return {value, value, value}; }

// What needs labels only: accuracy, baseline, confusion, per-class scores. predicted may hold -1: no answer.
Evaluation of_labels(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                     std::span<const int32_t> predicted) {
  if (truth.empty()) fail(Exit::no_input, "no sample has a label: nothing to evaluate");
  Evaluation e;
  e.classes = classes;
  e.samples = std::ssize(truth);
  e.unanswered = std::count(predicted.begin(), predicted.end(), -1);
  const auto count = std::ssize(classes);
  e.columns = count + (e.unanswered > 0 ? 1 : 0);
  std::vector<int32_t> columns(predicted.begin(), predicted.end());
  std::replace(columns.begin(), columns.end(), -1, static_cast<int32_t>(count));
  // As a square table, whose last class no sample has, the metrics need not know of missing answers.
  std::vector<int64_t> square = confusion(truth, columns, e.columns);
  e.per_class = class_scores(square, e.columns);
  e.per_class.resize(classes.size());
  square.resize(static_cast<size_t>(count * e.columns));
  e.confusion = std::move(square);
  int64_t hits = 0;
  for (const ClassScore& s : e.per_class) hits += s.hits;
  e.metrics.emplace_back("accuracy", proportion(hits, e.samples));
  e.metrics.emplace_back("majority_baseline", majority_baseline(truth, count));
  e.metrics.emplace_back("macro_f1", exactly(macro_f1(e.per_class)));
  return e;
}

// Numbers by value, before other names.
bool label_less(const std::string& a, const std::string& b) {
  const auto x = parse_double(a), y = parse_double(b);
  if (x && y && *x != *y) return *x < *y;
  if (x.has_value() != y.has_value()) return x.has_value();
  return a < b;
}

std::unordered_map<std::string, const LabelRow*> by_id(std::span<const LabelRow> rows, const char* what) {
  std::unordered_map<std::string, const LabelRow*> map;
  for (const LabelRow& row : rows) {
    if (!map.emplace(row.id, &row).second) fail(Exit::mismatch, "{}: '{}' occurs twice", what, row.id);
  }
  return map;
}

LabelRow row_of_json(const std::string& line, const std::string& where) {
  try {
    const nlohmann::json json = nlohmann::json::parse(line);
    LabelRow row{json.at("input").get<std::string>(), json.value("label", std::string()), {}};
    if (json.contains("score") && json["score"].is_number()) row.score = json["score"].get<double>();
    return row;
  } catch (const nlohmann::json::exception&) {
    fail(Exit::mismatch, "{}: expected an object with input and label", where);
  }
}

}  // namespace

std::optional<double> Evaluation::value(const std::string& metric) const {
  for (const auto& [key, estimate] : metrics) {
    if (key == metric) return estimate.value;
  }
  const size_t colon = metric.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto it = std::find(classes.begin(), classes.end(), metric.substr(colon + 1));
  if (it == classes.end()) return std::nullopt;
  const ClassScore& s = per_class[static_cast<size_t>(it - classes.begin())];
  const std::string kind = metric.substr(0, colon);
  if (kind == "precision") return s.precision;
  if (kind == "recall") return s.recall;
  if (kind == "f1") return s.f1;
  return std::nullopt;
}

Evaluation evaluate_scores(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                           std::span<const float> logits, const std::function<std::string(size_t)>& id,
                           const EvaluationOptions& options) {
  const auto count = std::ssize(classes);
  const std::vector<float> probabilities = softmax(logits, count);
  const std::vector<int32_t> predicted = argmax(probabilities, count);
  Evaluation e = of_labels(classes, truth, predicted);
  if (count > options.top && options.top > 1) {
    const Estimate top = proportion(count_top(probabilities, truth, count, options.top), e.samples);
    e.metrics.insert(e.metrics.begin() + 1, {"top" + std::to_string(options.top), top});
  }
  e.metrics.emplace_back("log_loss", exactly(log_loss(probabilities, truth, count)));
  e.metrics.emplace_back("ece", exactly(calibration_error(probabilities, truth, count)));

  const auto truth_score = [&](size_t i) {
    return probabilities[i * static_cast<size_t>(count) + static_cast<size_t>(truth[i])];
  };
  std::vector<size_t> order(truth.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto end = order.begin() + std::min(options.worst, e.samples);
  std::partial_sort(order.begin(), end, order.end(), [&](size_t a, size_t b) {
    return truth_score(a) != truth_score(b) ? truth_score(a) < truth_score(b) : a < b;
  });
  for (auto it = order.begin(); it != end; ++it) {
    const float score = probabilities[*it * static_cast<size_t>(count) + static_cast<size_t>(predicted[*it])];
    e.worst.push_back({id(*it), truth[*it], predicted[*it], score, truth_score(*it)});
  }
  return e;
}

std::vector<LabelRow> parse_labels(const std::string& text, const std::string& name) {
  std::vector<LabelRow> rows;
  int64_t number = 0;
  for (std::string line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::string where = name + ":" + std::to_string(number);
    if (line.front() == '{') {
      rows.push_back(row_of_json(line, where));
      continue;
    }
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() < 2) fail(Exit::mismatch, "{}: expected id, tab, label", where);
    if (rows.empty() && (fields[0] == "input" || fields[0] == "id") && fields[1] == "label") continue;
    LabelRow row{unescape_tsv(fields[0]), unescape_tsv(fields[1]), {}};
    if (fields.size() > 2) row.score = parse_double(fields[2]);
    rows.push_back(std::move(row));
  }
  return rows;
}

Evaluation evaluate_labels(std::span<const LabelRow> truth, std::span<const LabelRow> predictions,
                           const EvaluationOptions& options, int64_t& strangers) {
  const auto answers = by_id(predictions, "the predictions");
  by_id(truth, "the truth");
  const auto less = [](const std::string& a, const std::string& b) { return label_less(a, b); };
  std::set<std::string, decltype(less)> names(less);
  int64_t found = 0;
  for (const LabelRow& row : truth) {
    if (!row.label.empty()) names.insert(row.label);
    const auto it = answers.find(row.id);
    if (it == answers.end()) continue;
    ++found;
    if (!it->second->label.empty()) names.insert(it->second->label);
  }
  if (found == 0) fail(Exit::mismatch, "no id of the predictions is in the truth: both must name samples alike");
  strangers = std::ssize(predictions) - found;

  const std::vector<std::string> classes(names.begin(), names.end());
  const auto index = [&](const std::string& label) {
    return static_cast<int32_t>(std::lower_bound(classes.begin(), classes.end(), label, label_less) - classes.begin());
  };
  std::vector<int32_t> expected, given;
  std::vector<WorstSample> wrong;
  int64_t unlabelled = 0;
  for (const LabelRow& row : truth) {
    if (row.label.empty()) {
      ++unlabelled;
      continue;
    }
    const auto it = answers.find(row.id);
    const bool answered = it != answers.end() && !it->second->label.empty();
    expected.push_back(index(row.label));
    given.push_back(answered ? index(it->second->label) : -1);
    if (answered && given.back() != expected.back()) {
      wrong.push_back({row.id, expected.back(), given.back(), it->second->score.value_or(0),
                       std::numeric_limits<double>::quiet_NaN()});
    }
  }
  Evaluation e = of_labels(classes, expected, given);
  e.unlabelled = unlabelled;
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const WorstSample& a, const WorstSample& b) { return a.score > b.score; });
  wrong.resize(std::min(wrong.size(), static_cast<size_t>(options.worst)));
  e.worst = std::move(wrong);
  return e;
}

}  // namespace lepton
