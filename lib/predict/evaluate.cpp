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
#include "metrics/compare.h"
#include "metrics/ranking.h"
#include "metrics/regression.h"

namespace lepton {
namespace {

Estimate exactly(double value) { return {value, value, value}; }

// What needs labels only: accuracy, baseline, confusion, per-class scores. predicted may hold -1: no answer.
Evaluation of_labels(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                     std::span<const int32_t> predicted, int32_t positive) {
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
  const double mcc = matthews_correlation(square, e.columns);
  e.per_class.resize(classes.size());
  square.resize(static_cast<size_t>(count * e.columns));
  e.confusion = std::move(square);
  int64_t hits = 0;
  for (const ClassScore& s : e.per_class) hits += s.hits;
  e.metrics.emplace_back("accuracy", proportion(hits, e.samples));
  e.metrics.emplace_back("majority_baseline", majority_baseline(truth, count));
  e.metrics.emplace_back("macro_f1", exactly(macro_f1(e.per_class)));
  e.metrics.emplace_back("balanced_accuracy", exactly(balanced_accuracy(e.per_class)));
  e.metrics.emplace_back("mcc", exactly(mcc));
  e.positive = count == 2 ? positive : -1;
  if (e.positive >= 0) {
    const ClassScore& yes = e.per_class[static_cast<size_t>(positive)];
    const ClassScore& no = e.per_class[static_cast<size_t>(1 - positive)];
    // A sample without an answer is not found, whichever class it is of.
    const CutCounts c{yes.hits, yes.predicted - yes.hits, yes.support - yes.hits, no.hits};
    e.metrics.emplace_back("sensitivity", sensitivity(c));
    e.metrics.emplace_back("specificity", proportion(no.hits, no.support));
    e.metrics.emplace_back("precision", precision(c));
    e.metrics.emplace_back("f1", f1(c));
  }
  return e;
}

double mean_of(const std::vector<std::optional<Estimate>>& values) {
  double sum = 0;
  int64_t there = 0;
  for (const auto& v : values) {
    sum += v ? v->value : 0;
    there += v.has_value();
  }
  return there > 0 ? sum / static_cast<double>(there) : std::numeric_limits<double>::quiet_NaN();
}

std::vector<int32_t> decide_all(const Decision& decision, std::span<const float> probabilities, size_t classes) {
  std::vector<int32_t> answers;
  answers.reserve(probabilities.size() / classes);
  for (size_t at = 0; at < probabilities.size(); at += classes) {
    answers.push_back(decide(decision, probabilities.subspan(at, classes)));
  }
  return answers;
}

// The areas under the curves of each class against the rest; of several classes their means.
void add_areas(Evaluation& e, std::span<const int32_t> truth,
               const std::function<std::vector<double>(int32_t)>& scores_of) {
  const auto count = std::ssize(e.classes);
  for (int32_t c = 0; c < count; ++c) {
    const std::vector<double> scores = scores_of(c);
    const std::vector<uint8_t> positive = is_of_class(truth, c);
    e.class_roc_auc.push_back(roc_auc(scores, positive));
    e.class_pr_auc.push_back(average_precision(scores, positive));
  }
  if (e.positive >= 0) {
    const auto at = static_cast<size_t>(e.positive);
    if (e.class_roc_auc[at]) e.metrics.emplace_back("roc_auc", *e.class_roc_auc[at]);
    if (e.class_pr_auc[at]) e.metrics.emplace_back("pr_auc", *e.class_pr_auc[at]);
  } else if (count > 2) {
    const double roc = mean_of(e.class_roc_auc), pr = mean_of(e.class_pr_auc);
    if (std::isfinite(roc)) e.metrics.emplace_back("macro_roc_auc", exactly(roc));
    if (std::isfinite(pr)) e.metrics.emplace_back("macro_pr_auc", exactly(pr));
  }
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
  const auto at = static_cast<size_t>(it - classes.begin());
  const ClassScore& s = per_class[at];
  const std::string kind = metric.substr(0, colon);
  const auto* areas = kind == "roc_auc" ? &class_roc_auc : kind == "pr_auc" ? &class_pr_auc : nullptr;
  if (areas != nullptr && at < areas->size() && (*areas)[at]) return (*areas)[at]->value;
  if (kind == "precision") return s.precision;
  if (kind == "recall") return s.recall;
  if (kind == "f1") return s.f1;
  return std::nullopt;
}

std::vector<int32_t> answers_of(const Decision& decision, std::span<const float> logits, int64_t classes) {
  return decide_all(decision, softmax(logits, classes, decision.temperature), static_cast<size_t>(classes));
}

void add_comparison(Evaluation& evaluation, std::span<const uint8_t> right, std::span<const uint8_t> other_right) {
  const PairedTest test = compare_answers(right, other_right);
  const auto others = std::accumulate(other_right.begin(), other_right.end(), int64_t{0});
  evaluation.metrics.emplace_back("other_accuracy", proportion(others, evaluation.samples));
  evaluation.metrics.emplace_back("accuracy_difference", test.difference);
  evaluation.metrics.emplace_back("mcnemar_p", exactly(test.p));
  evaluation.metrics.emplace_back("only_this_right", exactly(static_cast<double>(test.only_first)));
  evaluation.metrics.emplace_back("only_other_right", exactly(static_cast<double>(test.only_second)));
}

Evaluation evaluate_scores(const std::vector<std::string>& classes, std::span<const int32_t> truth,
                           std::span<const float> logits, const std::function<std::string(size_t)>& id,
                           const EvaluationOptions& options) {
  const auto count = std::ssize(classes);
  const std::vector<float> probabilities = softmax(logits, count, options.decision.temperature);
  const std::vector<int32_t> predicted = decide_all(options.decision, probabilities, classes.size());
  Evaluation e = of_labels(classes, truth, predicted, options.decision.positive);
  if (count > options.top && options.top > 1) {
    const Estimate top = proportion(count_top(probabilities, truth, count, options.top), e.samples);
    e.metrics.insert(e.metrics.begin() + 1, {"top" + std::to_string(options.top), top});
  }
  add_areas(e, truth, [&](int32_t c) {
    return count == 2 ? fine_class_column(logits, options.decision.temperature, c)
                      : class_column(probabilities, count, c);
  });
  e.metrics.emplace_back("log_loss", exactly(log_loss(probabilities, truth, count)));
  e.metrics.emplace_back("ece", exactly(calibration_error(probabilities, truth, count)));
  if (options.decision.temperature != 1) e.metrics.emplace_back("temperature", exactly(options.decision.temperature));
  if (options.decision.threshold) e.metrics.emplace_back("threshold", exactly(*options.decision.threshold));

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
    const auto row = std::span(probabilities).subspan(*it * classes.size(), classes.size());
    const int32_t given = predicted[*it];
    const float score = given < 0 ? *std::max_element(row.begin(), row.end()) : row[static_cast<size_t>(given)];
    e.worst.push_back({id(*it), truth[*it], predicted[*it], score, truth_score(*it)});
  }
  return e;
}

Evaluation evaluate_numbers(std::span<const double> truth, std::span<const double> predicted) {
  if (truth.empty()) fail(Exit::no_input, "no sample has a target: nothing to evaluate");
  Evaluation e;
  e.samples = std::ssize(truth);
  const RegressionScores scores = regression_scores(truth, predicted);
  e.metrics = {{"mae", scores.mae}, {"rmse", scores.rmse}};
  if (std::isfinite(scores.r2.value)) e.metrics.emplace_back("r2", scores.r2);
  return e;
}

std::vector<double> class_column(std::span<const float> probabilities, int64_t classes, int32_t c) {
  std::vector<double> column;
  column.reserve(probabilities.size() / static_cast<size_t>(classes));
  for (auto i = static_cast<size_t>(c); i < probabilities.size(); i += static_cast<size_t>(classes)) {
    column.push_back(static_cast<double>(probabilities[i]));
  }
  return column;
}

std::vector<double> fine_class_column(std::span<const float> logits, double temperature, int32_t c) {
  std::vector<double> column;
  column.reserve(logits.size() / 2);
  const auto own = static_cast<size_t>(c), other = 1 - own;
  for (size_t at = 0; at < logits.size(); at += 2) {
    const double margin = static_cast<double>(logits[at + own]) - static_cast<double>(logits[at + other]);
    column.push_back(1 / (1 + std::exp(-margin / temperature)));
  }
  return column;
}

std::vector<uint8_t> is_of_class(std::span<const int32_t> truth, int32_t c) {
  std::vector<uint8_t> positive(truth.size());
  std::transform(truth.begin(), truth.end(), positive.begin(), [c](int32_t t) { return t == c; });
  return positive;
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
  std::vector<double> scores;  // of the label given
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
    if (answered && it->second->score) scores.push_back(*it->second->score);
    if (answered && given.back() != expected.back()) {
      wrong.push_back({row.id, expected.back(), given.back(), it->second->score.value_or(0),
                       std::numeric_limits<double>::quiet_NaN()});
    }
  }
  Evaluation e = of_labels(classes, expected, given, positive_class(classes, options.positive));
  // Of two classes the score of the one is that of the other too.
  const bool scored = e.positive >= 0 && scores.size() == given.size() &&
                      std::all_of(scores.begin(), scores.end(), [](double s) { return s >= 0 && s <= 1; });
  if (scored) {
    add_areas(e, expected, [&](int32_t c) {
      std::vector<double> of_class = scores;
      for (size_t i = 0; i < given.size(); ++i) of_class[i] = given[i] == c ? scores[i] : 1 - scores[i];
      return of_class;
    });
  }
  e.unlabelled = unlabelled;
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const WorstSample& a, const WorstSample& b) { return a.score > b.score; });
  wrong.resize(std::min(wrong.size(), static_cast<size_t>(options.worst)));
  e.worst = std::move(wrong);
  return e;
}

}  // namespace lepton
