#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lepton {
namespace {

// p = s/n; (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), worked by hand with z = 1.96.
TEST(Metrics, WilsonInterval) {
  struct Row {
    int64_t successes, trials;
    double low, high;
  };
  for (const Row& row : {Row{9, 10, 0.59585, 0.98212}, Row{0, 10, 0, 0.27753}, Row{10, 10, 0.72247, 1}}) {
    const Estimate e = proportion(row.successes, row.trials);
    EXPECT_NEAR(e.low, row.low, 1e-5) << row.successes;
    EXPECT_NEAR(e.high, row.high, 1e-5) << row.successes;
  }
  EXPECT_EQ(proportion(0, 0).high, 1);
}

const std::vector<float> kScores = {0.7F, 0.2F, 0.1F, 0.1F, 0.8F, 0.1F, 0.4F, 0.4F, 0.2F, 0.2F, 0.5F, 0.3F};
const std::vector<int32_t> kLabels = {0, 1, 1, 2};

TEST(Metrics, TopCountsAndTies) {
  EXPECT_EQ(argmax(kScores, 3), (std::vector<int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(count_top(kScores, kLabels, 3, 1), 2);
  EXPECT_EQ(count_top(kScores, kLabels, 3, 2), 4);
}

TEST(Metrics, PerClassScores) {
  const std::vector<int64_t> counts = confusion(kLabels, argmax(kScores, 3), 3);
  EXPECT_EQ(counts, (std::vector<int64_t>{1, 0, 0, 1, 1, 0, 0, 1, 0}));
  const std::vector<ClassScore> scores = class_scores(counts, 3);
  EXPECT_DOUBLE_EQ(scores[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(scores[0].recall, 1);
  EXPECT_DOUBLE_EQ(scores[1].f1, 0.5);
  EXPECT_DOUBLE_EQ(scores[2].f1, 0);
  EXPECT_NEAR(macro_f1(scores), (2.0 / 3 + 0.5 + 0) / 3, 1e-12);
  EXPECT_DOUBLE_EQ(majority_baseline(kLabels, 3).value, 0.5);
}

TEST(Metrics, ProbabilitiesAndCalibration) {
  const std::vector<float> p = softmax(std::vector<float>{1000, 1000, 0, std::log(3.0F)}, 2);
  EXPECT_FLOAT_EQ(p[0], 0.5F);
  EXPECT_FLOAT_EQ(p[3], 0.75F);
  EXPECT_NEAR(log_loss(kScores, kLabels, 3), -(std::log(0.7) + std::log(0.8) + std::log(0.4) + std::log(0.3)) / 4,
              1e-6);
  // One sample a bin: 0.7 and 0.8 hit, 0.4 and 0.5 miss.
  EXPECT_NEAR(calibration_error(kScores, kLabels, 3), (0.3 + 0.2 + 0.4 + 0.5) / 4, 1e-6);
}

TEST(Metrics, WhatSaysNothing) {
  const std::vector<int32_t> labels = {0, 0, 0, 1};
  const auto judge = [&](const std::vector<float>& p) { return says_nothing(p, labels, 2); };
  EXPECT_TRUE(judge({0.75F, 0.25F, 0.75F, 0.25F, 0.75F, 0.25F, 0.75F, 0.25F}));  // the shares
  EXPECT_TRUE(judge({1, 0, 1, 0, 1, 0, 1, 0}));                                  // sure, and blind
  EXPECT_TRUE(judge({0.6F, 0.4F, 0.7F, 0.3F, 0.6F, 0.4F, 0.7F, 0.3F}));          // surer where it is wrong
  EXPECT_TRUE(judge({0.2F, 0.8F, 0.2F, 0.8F, 0.2F, 0.8F, 0.2F, 0.8F}));          // the rare class
  // Always the frequent class, but less sure of the rare one; and so with a loss above the entropy of the shares
  // (0.56).
  EXPECT_FALSE(judge({0.9F, 0.1F, 0.9F, 0.1F, 0.9F, 0.1F, 0.6F, 0.4F}));
  EXPECT_FALSE(judge({0.53F, 0.47F, 0.53F, 0.47F, 0.53F, 0.47F, 0.51F, 0.49F}));
  EXPECT_FALSE(judge({0.75F, 0.25F, 0.75F, 0.25F, 0.75F, 0.25F, 0.25F, 0.75F}));              // two answers
  EXPECT_FALSE(says_nothing(std::vector<float>{1, 0, 1, 0}, std::vector<int32_t>{0, 0}, 2));  // one class is there
  EXPECT_FALSE(says_nothing({}, {}, 2));
}

}  // namespace
}  // namespace lepton
