#include "predict/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "predict/report.h"

namespace lepton {
namespace {

template <class Body>
std::string error_of(Exit status, Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

// Three samples, two classes; probabilities of the right class 0.75, 0.75, 0.25.
Evaluation example() {
  const float l = std::log(3.0F);
  const std::vector<float> logits = {l, 0, 0, l, l, 0};
  const std::vector<int32_t> truth = {0, 1, 1};
  Evaluation e = evaluate_scores({"cat", "dog"}, truth, logits, [](size_t i) { return "s" + std::to_string(i); },
                                 {.top = 5, .worst = 2});
  e.name = "test";
  return e;
}

TEST(Evaluate, ScoresWorkedByHand) {
  const Evaluation e = example();
  EXPECT_EQ(e.samples, 3);
  EXPECT_DOUBLE_EQ(*e.value("accuracy"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(*e.value("majority_baseline"), 2.0 / 3);
  EXPECT_NEAR(*e.value("log_loss"), -(2 * std::log(0.75) + std::log(0.25)) / 3, 1e-6);
  EXPECT_NEAR(*e.value("ece"), 0.75 - 2.0 / 3, 1e-6);
  EXPECT_DOUBLE_EQ(*e.value("recall:dog"), 0.5);
  EXPECT_DOUBLE_EQ(*e.value("precision:cat"), 0.5);
  EXPECT_FALSE(e.value("recall:bird"));
  EXPECT_FALSE(e.value("top5"));  // there are only two classes
  EXPECT_EQ(e.confusion, (std::vector<int64_t>{1, 0, 1, 1}));
  ASSERT_EQ(e.worst.size(), 2U);
  EXPECT_EQ(e.worst[0].id, "s2");
  EXPECT_NEAR(e.worst[0].truth_score, 0.25, 1e-6);
  EXPECT_EQ(e.worst[1].id, "s0");  // of equals the first
  error_of(Exit::no_input, [] { evaluate_scores({"a"}, {}, {}, [](size_t) { return ""; }, {}); });
}

// The example under a threshold: probabilities of dog 0.25, 0.75, 0.25 of cat, dog, dog.
TEST(Evaluate, TwoClassesAndAThreshold) {
  const float l = std::log(3.0F);
  const std::vector<float> logits = {l, 0, 0, l, l, 0};
  const std::vector<int32_t> truth = {0, 1, 1};
  struct Row {
    Decision decision;
    double sensitivity, specificity, precision, f1, roc_auc;
  };
  for (const Row& row : {Row{{1, {}, 1}, 0.5, 1, 1, 2.0 / 3, 0.75}, Row{{1, 0.2, 1}, 1, 0, 2.0 / 3, 0.8, 0.75},
                         Row{{1, 0.8, 1}, 0, 1, 0, 0, 0.75}, Row{{1, 0.3, 0}, 1, 0.5, 0.5, 2.0 / 3, 0.75},
                         Row{{2, 0.3, 1}, 1, 0, 2.0 / 3, 0.8, 0.75}}) {  // sqrt(3) to 1: 0.366
    const Evaluation e = evaluate_scores({"cat", "dog"}, truth, logits, [](size_t) { return "s"; },
                                         {.top = 5, .worst = 3, .decision = row.decision});
    EXPECT_DOUBLE_EQ(*e.value("sensitivity"), row.sensitivity);
    EXPECT_DOUBLE_EQ(*e.value("specificity"), row.specificity);
    EXPECT_DOUBLE_EQ(*e.value("precision"), row.precision);
    EXPECT_DOUBLE_EQ(*e.value("f1"), row.f1);
    EXPECT_DOUBLE_EQ(*e.value("roc_auc"), row.roc_auc);
    EXPECT_EQ(e.value("threshold"), row.decision.threshold);
    EXPECT_EQ(e.value("temperature").has_value(), row.decision.temperature != 1);
    EXPECT_FALSE(e.value("macro_roc_auc"));
    EXPECT_EQ(e.worst[0].truth, 1);
    EXPECT_NE(report_json(std::vector{e}, {})
                  .find(row.decision.positive == 1 ? R"("positive_class":"dog")" : R"("positive_class":"cat")"),
              std::string::npos);
  }
}

TEST(Evaluate, SeveralClassesUndecided) {
  const std::vector<float> logits = {9, 0, 0, 0, 1, 0, 0, 0, 9, 9, 0, 0};
  const std::vector<int32_t> truth = {0, 1, 2, 2};
  const Evaluation e = evaluate_scores({"a", "b", "c"}, truth, logits, [](size_t) { return "s"; },
                                       {.top = 5, .worst = 4, .decision = {1, 0.9, -1}});
  EXPECT_EQ(e.unanswered, 1);
  EXPECT_DOUBLE_EQ(*e.value("accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(*e.value("balanced_accuracy"), (1 + 0 + 0.5) / 3);
  EXPECT_FALSE(e.value("sensitivity"));
  // a: 1 against 0, 0 and a tie; b: 1; c: the highest and the lowest of two lowest against one that is equal.
  EXPECT_NEAR(*e.value("roc_auc:a"), (1 + 1 + 0.5) / 3, 1e-12);
  EXPECT_NEAR(*e.value("roc_auc:b"), 1, 1e-12);
  EXPECT_NEAR(*e.value("macro_roc_auc"), (2.5 / 3 + 1 + *e.value("roc_auc:c")) / 3, 1e-12);
  const std::string text =
      report_text(std::vector{e}, {.aligned = false, .per_class = true, .confusion = false, .worst = true});
  EXPECT_NE(text.find("s\tb\t\t0.5761\t0.5761\n"), std::string::npos) << text;
}

TEST(Evaluate, Numbers) {
  const Evaluation e = evaluate_numbers(std::vector{1.0, 2.0, 6.0}, std::vector{2.0, 2.0, 4.0});
  EXPECT_DOUBLE_EQ(*e.value("mae"), 1);
  EXPECT_DOUBLE_EQ(*e.value("rmse"), std::sqrt(5.0 / 3));
  EXPECT_DOUBLE_EQ(*e.value("r2"), 1 - 5.0 / 14);
  EXPECT_NE(report_text(std::vector{e}, {}).find("\tmae\t1\t"), std::string::npos);
  EXPECT_EQ(gate_violation(parse_gate(GateKind::over, "--g", "mae=1"), e, ""), "");
  error_of(Exit::no_input, [] { evaluate_numbers({}, {}); });
}

TEST(Evaluate, LabelsOfTwoClassesWithScores) {
  const std::vector<LabelRow> truth = {{"a", "no", {}}, {"b", "yes", {}}, {"c", "yes", {}}};
  std::vector<LabelRow> given = {{"a", "no", 0.8}, {"b", "yes", 0.9}, {"c", "no", 0.9}};
  int64_t strangers = 0;
  const Evaluation e = evaluate_labels(truth, given, {}, strangers);
  EXPECT_DOUBLE_EQ(*e.value("sensitivity"), 0.5);
  EXPECT_DOUBLE_EQ(*e.value("roc_auc"), 0.5);
  EXPECT_DOUBLE_EQ(*evaluate_labels(truth, given, {.positive = "no"}, strangers).value("sensitivity"), 1);
  given[0].score = {};
  EXPECT_FALSE(evaluate_labels(truth, given, {}, strangers).value("roc_auc"));
}

TEST(Evaluate, LabelFiles) {
  const auto rows = parse_labels("input\tlabel\tscore\r\na\\tb\tcat\t0.5\n\nc\t\t\tbroken\n", "f");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, "a\tb");
  EXPECT_EQ(*rows[0].score, 0.5);
  EXPECT_EQ(rows[1].label, "");
  const auto json =
      parse_labels("{\"input\":\"x\",\"label\":\"y\",\"score\":1}\n{\"input\":\"z\",\"error\":\"e\"}\n", "f");
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0].label, "y");
  EXPECT_EQ(json[1].label, "");
  EXPECT_NE(error_of(Exit::mismatch, [] { parse_labels("a\tb\nc\n", "f"); }).find("f:2"), std::string::npos);
  error_of(Exit::mismatch, [] { parse_labels("{\"label\":1}", "f"); });
}

TEST(Evaluate, MissingAnswersAreWrongAndNumbersSortByValue) {
  const std::vector<LabelRow> truth = {{"a", "10", {}}, {"b", "9", {}}, {"c", "9", {}}, {"d", "", {}}};
  const std::vector<LabelRow> given = {{"b", "9", {}}, {"a", "9", 0.7}, {"x", "9", {}}, {"d", "10", {}}};
  int64_t strangers = 0;
  const Evaluation e = evaluate_labels(truth, given, {.top = 5, .worst = 9}, strangers);
  EXPECT_EQ(e.classes, (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(strangers, 1);
  EXPECT_EQ(e.samples, 3);
  EXPECT_EQ(e.unlabelled, 1);
  EXPECT_EQ(e.unanswered, 1);
  EXPECT_DOUBLE_EQ(*e.value("accuracy"), 1.0 / 3);
  EXPECT_EQ(e.columns, 3);
  EXPECT_EQ(e.confusion, (std::vector<int64_t>{1, 0, 1, 1, 0, 0}));
  ASSERT_EQ(e.worst.size(), 1U);
  EXPECT_EQ(e.worst[0].id, "a");
}

TEST(Report, TsvAndJson) {
  const Evaluation one = example();
  const ReportStyle style{.aligned = false, .per_class = false, .confusion = true, .worst = true};
  const std::string text = report_text(std::vector{one}, style);
  EXPECT_TRUE(text.starts_with("split\tmetric\tvalue\tlow\thigh\ntest\tsamples\t3\t\t\ntest\taccuracy\t0.666667\t"));
  EXPECT_NE(text.find("\n\ntruth/answer\tcat\tdog\ncat\t1\t0\ndog\t1\t1\n\n"), std::string::npos);
  EXPECT_NE(text.find("\ns2\tdog\tcat\t0.75\t0.25\n"), std::string::npos);
  const auto json = nlohmann::json::parse(report_json(std::vector{one}, style));
  EXPECT_EQ(json["accuracy"]["value"].get<double>(), 2.0 / 3);
  EXPECT_EQ(json["confusion"]["counts"][1][0], 1);
  Evaluation other = example();
  other.name = "train";
  const auto two = nlohmann::json::parse(report_json(std::vector{one, other}, style));
  EXPECT_EQ(two["train"]["samples"]["value"], 3);
}

TEST(Report, Gates) {
  const Evaluation e = example();
  const std::string stored = R"({"val":{"accuracy":{"value":0.7},"loss":{"value":0.1}}})";
  struct Row {
    GateKind kind;
    const char *text, *violation;
  };
  for (const Row& row :
       {Row{GateKind::under, "accuracy=0.6", ""},
        Row{GateKind::under, "accuracy=0.9", "test accuracy is 0.666667, under 0.9"},
        Row{GateKind::over, "log-loss=0.5", "test log_loss is 0.653886, over 0.5"},
        Row{GateKind::under, "recall:dog=0.5", ""}, Row{GateKind::drop, "0.05", ""},
        Row{GateKind::drop, "accuracy=0.01",
            "test accuracy is 0.666667, worse than the model's stored 0.7 by 0.0333333, more than 0.01"},
        Row{GateKind::drop, "log_loss=0.6", ""}}) {
    EXPECT_EQ(gate_violation(parse_gate(row.kind, "--gate", row.text), e, stored), row.violation) << row.text;
  }
  EXPECT_NE(error_of(Exit::usage, [] { parse_gate(GateKind::under, "--g", "acuracy=1"); }).find("'accuracy'"),
            std::string::npos);
  error_of(Exit::usage, [] { parse_gate(GateKind::under, "--g", "0.9"); });
  error_of(Exit::usage, [] { parse_gate(GateKind::over, "--g", "ece=low"); });
  error_of(Exit::usage, [&] { gate_violation({GateKind::under, "recall:bird", 0}, e, stored); });
  error_of(Exit::mismatch, [&] { gate_violation({GateKind::drop, "ece", 0}, e, stored); });
  error_of(Exit::mismatch, [&] { gate_violation({GateKind::drop, "accuracy", 0}, e, "not JSON"); });
}

}  // namespace
}  // namespace lepton
