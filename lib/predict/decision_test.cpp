#include "predict/decision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace lepton {
namespace {

using Names = std::vector<std::string>;

TEST(Decision, ThePositiveClass) {
  struct Row {
    Names classes;
    int32_t positive;
  };
  for (const Row& row :
       {Row{{"normal", "pneumonia"}, 1}, Row{{"bad", "good"}, 0}, Row{{"0", "1"}, 1}, Row{{"fraud", "legit"}, 0},
        Row{{"ham", "spam"}, 1}, Row{{"cat", "dog"}, 1}, Row{{"no", "normal"}, 1}, Row{{"Disease", "No Disease"}, 0},
        Row{{"-1", "1"}, 1}, Row{{"mushroom", "nothing"}, 1}, Row{{"a", "b", "c"}, -1}, Row{{"a"}, -1}}) {
    EXPECT_EQ(positive_class(row.classes), row.positive) << row.classes[0];
  }
  EXPECT_EQ(positive_class({"cat", "dog"}, "cat"), 0);
  EXPECT_THROW(positive_class({"cat", "dog"}, "bird"), Error);
  EXPECT_THROW(positive_class({"a", "b", "c"}, "a"), Error);
}

TEST(Decision, OfARow) {
  const std::vector<float> two = {0.625F, 0.375F}, three = {0.25F, 0.5F, 0.25F};
  EXPECT_EQ(decide({1, {}, 1}, two), 0);
  EXPECT_EQ(decide({1, 0.375, 1}, two), 1);
  EXPECT_EQ(decide({1, 0.38, 1}, two), 0);
  EXPECT_EQ(decide({1, 0.7, 0}, two), 1);
  EXPECT_EQ(decide({1, 0.5, -1}, three), 1);
  EXPECT_EQ(decide({1, 0.51, -1}, three), -1);
}

Model model_with(const std::string& calibration, const Names& classes = {"no", "yes"}) {
  Model m;
  m.classes = classes;
  m.calibration = calibration;
  return m;
}

TEST(Decision, StoredInTheModel) {
  const Calibration c{1.5, 0.1234567890123, "yes", "recall=0.95"};
  const Model m = model_with(calibration_json(c));
  EXPECT_EQ(calibration_json(read_calibration(m)), m.calibration);
  const Decision d = decision_of(m, "model", "");
  EXPECT_EQ(d.temperature, 1.5);
  EXPECT_EQ(d.threshold, 0.1234567890123);
  EXPECT_EQ(d.positive, 1);
  EXPECT_FALSE(decision_of(m, "", "").threshold);
  EXPECT_EQ(decision_of(m, "0.3", "no").positive, 0);
  struct Row {
    const char *calibration, *threshold, *positive;
    Exit status;
  };
  for (const Row& row :
       {Row{"", "model", "", Exit::mismatch}, Row{"", "1.5", "", Exit::usage}, Row{"", "high", "", Exit::usage},
        Row{m.calibration.c_str(), "model", "no", Exit::mismatch}, Row{"{", "", "", Exit::mismatch},
        Row{R"({"temperature":0})", "", "", Exit::mismatch}, Row{R"({"temperature":"hot"})", "", "", Exit::mismatch},
        Row{R"({"threshold":2,"positive":"yes"})", "", "", Exit::mismatch},
        Row{R"({"threshold":0.2})", "", "", Exit::mismatch},
        Row{R"({"threshold":0.2,"positive":"maybe"})", "", "", Exit::mismatch}}) {
    try {
      decision_of(model_with(row.calibration), row.threshold, row.positive);
      ADD_FAILURE() << row.calibration << ' ' << row.threshold;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), row.status) << error.what();
    }
  }
  EXPECT_EQ(decision_of(model_with(R"({"threshold":0.2})", {"a", "b", "c"}), "model", "").threshold, 0.2);
}

// A threshold parts the same logits after the temperature has changed.
TEST(Decision, AnotherTemperature) {
  Calibration c{1, 0.2, "yes", ""};
  const std::vector<float> logits = {0, -1.3862945F, 0, -1.3862943F};  // p = 0.2 less and more a little
  const auto answers = [&] {
    std::vector<int32_t> found;
    const std::vector<float> p = softmax(logits, 2, c.temperature);
    for (size_t i = 0; i < 2; ++i) {
      found.push_back(
          decide({c.temperature, *c.threshold - 1e-9 * (i == 0 ? -1 : 1), 1}, std::span(p).subspan(i * 2, 2)));
    }
    return found;
  };
  const std::vector<int32_t> before = answers();
  EXPECT_TRUE(change_temperature(c, 2.5, 2));
  EXPECT_NEAR(*c.threshold, 1 / (1 + std::pow(4, 0.4)), 1e-12);
  EXPECT_EQ(answers(), before);
  EXPECT_FALSE(change_temperature(c, 1, 3));
  EXPECT_FALSE(c.threshold);
}

TEST(Decision, Rules) {
  using Kind = ThresholdRule::Kind;
  EXPECT_EQ(parse_threshold_rule("recall=0.95").least, 0.95);
  EXPECT_EQ(parse_threshold_rule("sensitivity=1").kind, Kind::recall);
  EXPECT_EQ(parse_threshold_rule("specificity=0.5").kind, Kind::specificity);
  EXPECT_EQ(parse_threshold_rule("precision=0").kind, Kind::precision);
  const ThresholdRule cost = parse_threshold_rule("cost=FN:5,FP:1.5");
  EXPECT_EQ(cost.false_positive, 1.5);
  EXPECT_EQ(cost.false_negative, 5);
  for (const char* bad : {"", "recall", "recall=", "recall=95", "recall=-1", "cost=", "cost=FP:1", "cost=FP:1,FN:-1",
                          "cost=FP:1,FN:x", "f1=0.5", "cost=FP:1,FN:inf"}) {
    EXPECT_THROW(parse_threshold_rule(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace lepton
