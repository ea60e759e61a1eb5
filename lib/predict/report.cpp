#include "predict/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "io/rows.h"

namespace lepton {
namespace {

using Fields = std::vector<std::string>;
using Rows = std::vector<Fields>;
using Json = nlohmann::ordered_json;

constexpr const char* kNoAnswer = "(no answer)";

std::string fixed(double value) { return std::isfinite(value) ? fmt::format("{:.4f}", value) : "-"; }

std::string table(const Rows& rows, bool aligned) {
  if (aligned) return aligned_table(rows);
  std::string text;
  for (const Fields& row : rows) text += tsv_row(row);
  return text;
}

std::vector<std::pair<std::string, int64_t>> counts_of(const Evaluation& e) {
  std::vector<std::pair<std::string, int64_t>> counts = {{"samples", e.samples}};
  if (e.unlabelled > 0) counts.emplace_back("unlabelled", e.unlabelled);
  if (e.unanswered > 0) counts.emplace_back("unanswered", e.unanswered);
  return counts;
}

std::string positive_of(const Evaluation& e) {
  return e.positive < 0 ? "" : e.classes[static_cast<size_t>(e.positive)];
}

// For people: evaluations side by side, 95 % intervals in brackets.
Rows summary_side_by_side(std::span<const Evaluation> evaluations) {
  Rows rows = {{"metric"}};
  const auto row_of = [&](const std::string& name) -> Fields& {
    const auto it = std::find_if(rows.begin(), rows.end(), [&](const Fields& r) { return r[0] == name; });
    return it == rows.end() ? rows.emplace_back(Fields{name}) : *it;
  };
  for (size_t i = 0; i < evaluations.size(); ++i) {
    rows[0].push_back(evaluations[i].name);
    const auto put = [&](const std::string& name, const std::string& text) {
      Fields& row = row_of(name);
      row.resize(i + 1, "-");
      row.push_back(text);
    };
    for (const auto& [name, count] : counts_of(evaluations[i])) put(name, with_commas(count));
    for (const auto& [name, m] : evaluations[i].metrics) {
      put(name,
          m.low < m.high ? fmt::format("{} ({}-{})", fixed(m.value), fixed(m.low), fixed(m.high)) : fixed(m.value));
    }
    if (const std::string name = positive_of(evaluations[i]); !name.empty()) put("positive_class", name);
  }
  return rows;
}

Rows summary_rows(std::span<const Evaluation> evaluations) {
  Rows rows = {{"split", "metric", "value", "low", "high"}};
  for (const Evaluation& e : evaluations) {
    for (const auto& [name, count] : counts_of(e)) rows.push_back({e.name, name, std::to_string(count), "", ""});
    for (const auto& [name, m] : e.metrics) {
      rows.push_back({e.name, name, significant(m.value, 6), significant(m.low, 6), significant(m.high, 6)});
    }
    if (const std::string name = positive_of(e); !name.empty())
      rows.push_back({e.name, "positive_class", name, "", ""});
  }
  return rows;
}

Rows class_rows(const Evaluation& e) {
  Rows rows = {{"class", "samples", "predicted", "precision", "recall", "f1"}};
  const bool areas = !e.class_roc_auc.empty();
  if (areas) rows[0].insert(rows[0].end(), {"roc_auc", "pr_auc"});
  const auto area = [](const std::optional<Estimate>& a) { return a ? fixed(a->value) : "-"; };
  for (size_t c = 0; c < e.classes.size(); ++c) {
    const ClassScore& s = e.per_class[c];
    rows.push_back({e.classes[c], std::to_string(s.support), std::to_string(s.predicted), fixed(s.precision),
                    fixed(s.recall), fixed(s.f1)});
    if (areas) rows.back().insert(rows.back().end(), {area(e.class_roc_auc[c]), area(e.class_pr_auc[c])});
  }
  return rows;
}

Rows confusion_rows(const Evaluation& e) {
  Rows rows = {{"truth/answer"}};
  rows[0].insert(rows[0].end(), e.classes.begin(), e.classes.end());
  if (e.columns > std::ssize(e.classes)) rows[0].push_back(kNoAnswer);
  for (size_t t = 0; t < e.classes.size(); ++t) {
    Fields& row = rows.emplace_back(Fields{e.classes[t]});
    for (size_t p = 0; p < static_cast<size_t>(e.columns); ++p) {
      row.push_back(std::to_string(e.confusion[t * static_cast<size_t>(e.columns) + p]));
    }
  }
  return rows;
}

std::string class_name(const Evaluation& e, int32_t index) {
  return index < 0 ? "" : e.classes[static_cast<size_t>(index)];
}

Rows worst_rows(const Evaluation& e) {
  Rows rows = {{"input", "truth", "label", "score", "truth_score"}};
  for (const WorstSample& w : e.worst) {
    rows.push_back({w.id, class_name(e, w.truth), class_name(e, w.predicted), significant(w.score, 4),
                    std::isfinite(w.truth_score) ? significant(w.truth_score, 4) : "-"});
  }
  return rows;
}

// With several evaluations, each section says whose it is: a title for people, a first column for programs.
std::string section(const Evaluation& e, Rows rows, const char* title, const ReportStyle& style, bool several) {
  if (style.aligned) return fmt::format("\n{}, {}\n", title, e.name) + table(rows, true);
  if (several) {
    for (size_t i = 0; i < rows.size(); ++i) rows[i].insert(rows[i].begin(), i == 0 ? "split" : e.name);
  }
  return "\n" + table(rows, false);
}

Json json_of(const Evaluation& e, const ReportStyle& style) {
  Json json = Json::object();
  for (const auto& [name, count] : counts_of(e)) json[name] = {{"value", count}, {"low", count}, {"high", count}};
  for (const auto& [name, m] : e.metrics) json[name] = {{"value", m.value}, {"low", m.low}, {"high", m.high}};
  if (const std::string name = positive_of(e); !name.empty()) json["positive_class"] = name;
  if (style.per_class) {
    for (size_t c = 0; c < e.classes.size(); ++c) {
      const ClassScore& s = e.per_class[c];
      json["per_class"][e.classes[c]] = {{"samples", s.support},
                                         {"predicted", s.predicted},
                                         {"precision", s.precision},
                                         {"recall", s.recall},
                                         {"f1", s.f1}};
      const auto put = [&](const char* name, const std::vector<std::optional<Estimate>>& areas) {
        if (c >= areas.size() || !areas[c]) return;
        json["per_class"][e.classes[c]][name] = {
            {"value", areas[c]->value}, {"low", areas[c]->low}, {"high", areas[c]->high}};
      };
      put("roc_auc", e.class_roc_auc);
      put("pr_auc", e.class_pr_auc);
    }
  }
  if (style.confusion) {
    json["confusion"]["classes"] = e.classes;
    for (size_t t = 0; t < e.classes.size(); ++t) {
      const auto begin = e.confusion.begin() + static_cast<int64_t>(t) * e.columns;
      json["confusion"]["counts"].push_back(std::vector<int64_t>(begin, begin + e.columns));
    }
  }
  if (style.worst) {
    json["worst"] = Json::array();
    for (const WorstSample& w : e.worst) {
      Json row = {{"input", w.id}, {"truth", class_name(e, w.truth)}, {"label", class_name(e, w.predicted)}};
      row["score"] = w.score;
      if (std::isfinite(w.truth_score)) row["truth_score"] = w.truth_score;
      json["worst"].push_back(std::move(row));
    }
  }
  return json;
}

bool smaller_is_better(const std::string& metric) {
  return metric == "log_loss" || metric == "ece" || metric == "mae" || metric == "rmse";
}

double stored_value(const Gate& gate, const Evaluation& evaluation, const std::string& stored) {
  const Json json = Json::parse(stored, nullptr, false);
  for (const std::string& split : {evaluation.name, std::string("val")}) {
    if (!json.is_object() || !json.contains(split)) continue;
    for (const std::string& name : {gate.metric, std::string(gate.metric == "log_loss" ? "loss" : "")}) {
      const auto it = json[split].find(name);
      if (it != json[split].end() && it->is_object() && it->contains("value")) return it->at("value").get<double>();
    }
  }
  fail(Exit::mismatch, "--max-drop: the model stores no {} of {} or val to compare with", gate.metric, evaluation.name);
}

}  // namespace

std::string report_text(std::span<const Evaluation> evaluations, const ReportStyle& style) {
  std::string text =
      table(style.aligned ? summary_side_by_side(evaluations) : summary_rows(evaluations), style.aligned);
  const bool several = evaluations.size() > 1;
  for (const Evaluation& e : evaluations) {
    if (style.per_class) text += section(e, class_rows(e), "Classes", style, several);
    if (style.confusion) text += section(e, confusion_rows(e), "Confusion", style, several);
    if (style.worst) text += section(e, worst_rows(e), "Worst", style, several);
  }
  return text;
}

std::string report_json(std::span<const Evaluation> evaluations, const ReportStyle& style) {
  Json json = Json::object();
  for (const Evaluation& e : evaluations) json[e.name] = json_of(e, style);
  if (evaluations.size() == 1) json = Json(json.begin().value());
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Gate parse_gate(GateKind kind, const std::string& option, const std::string& text) {
  const size_t equals = text.rfind('=');
  Gate gate{kind, equals == std::string::npos ? "accuracy" : text.substr(0, equals), 0};
  const auto bound = parse_double(equals == std::string::npos ? text : text.substr(equals + 1));
  if (!bound || (equals == std::string::npos && kind != GateKind::drop)) {
    fail(Exit::usage, "{} {}: expected METRIC=NUMBER, such as accuracy=0.9", option, text);
  }
  gate.bound = *bound;
  if (gate.metric.find(':') != std::string::npos) return gate;
  std::replace(gate.metric.begin(), gate.metric.end(), '-', '_');
  static const std::vector<std::string> kMetrics = {"accuracy",
                                                    "majority_baseline",
                                                    "macro_f1",
                                                    "balanced_accuracy",
                                                    "mcc",
                                                    "sensitivity",
                                                    "specificity",
                                                    "precision",
                                                    "f1",
                                                    "roc_auc",
                                                    "pr_auc",
                                                    "macro_roc_auc",
                                                    "macro_pr_auc",
                                                    "log_loss",
                                                    "ece",
                                                    "mae",
                                                    "rmse",
                                                    "r2",
                                                    "accuracy_difference"};
  const bool is_top = gate.metric.starts_with("top") && parse_int(gate.metric.substr(3)).has_value();
  if (is_top || std::find(kMetrics.begin(), kMetrics.end(), gate.metric) != kMetrics.end()) return gate;
  const std::string near = nearest(gate.metric, kMetrics);
  fail(Exit::usage, "{} {}: no metric '{}'{}; there are topK, {}, and precision:, recall:, f1:, roc_auc:, pr_auc:CLASS",
       option, text, gate.metric, near.empty() ? "" : ", did you mean '" + near + "'?", fmt::join(kMetrics, ", "));
}

std::string gate_violation(const Gate& gate, const Evaluation& evaluation, const std::string& stored_metrics,
                           const Evaluation* exact) {
  const auto value = evaluation.value(gate.metric);
  if (!value) {
    fail(Exit::usage, "{}: no {} to compare: no such class or k, or nothing it could be computed from", evaluation.name,
         gate.metric);
  }
  const std::string found = fmt::format("{} {} is {}", evaluation.name, gate.metric, significant(*value, 6));
  const std::string bound = significant(gate.bound, 6);
  if (gate.kind == GateKind::under) return *value < gate.bound ? found + ", under " + bound : "";
  if (gate.kind == GateKind::over) return *value > gate.bound ? found + ", over " + bound : "";
  const double stored =
      exact == nullptr ? stored_value(gate, evaluation, stored_metrics) : exact->value(gate.metric).value_or(NAN);
  const double worse = smaller_is_better(gate.metric) ? *value - stored : stored - *value;
  if (worse <= gate.bound) return "";
  return fmt::format("{}, worse than {} {} by {}, more than {}", found,
                     exact == nullptr ? "the model's stored" : "in fp32,", significant(stored, 6),
                     significant(worse, 6), bound);
}

}  // namespace lepton
