// Against scikit-learn's figures on data that both make of one congruential generator: scripts/make-golden-metrics.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "metrics/compare.h"
#include "metrics/importance.h"
#include "metrics/ranking.h"
#include "metrics/regression.h"
#include "metrics/temperature.h"

namespace lepton {
namespace {

class Generator {
 public:
  explicit Generator(uint32_t seed) : state_(seed) {}
  uint32_t next() { return (state_ = state_ * 1664525U + 1013904223U) >> 16; }

 private:
  uint32_t state_;
};

struct Binary {
  std::vector<double> scores;
  std::vector<uint8_t> positive;
};
Binary binary(int n, uint32_t seed) {
  Generator g(seed);
  Binary data;
  for (int i = 0; i < n; ++i) {
    const uint32_t s = g.next() % 21;
    data.positive.push_back(g.next() % 30 < s);
    data.scores.push_back(s / 20.0);
  }
  return data;
}

TEST(GoldenMetrics, OneClassAgainstTheRest) {
  struct Row {
    int n;
    uint32_t seed;
    std::array<double, 9> expected;
  };
  const Row rows[] = {
      {20,
       1,
       {0.700000000, 0.449512820, 0.656550993, 0.900000000, 0.500000000, 0.642857143, 0.750000000, 0.700000000,
        0.436435780}},
      {60,
       2,
       {0.782239819, 0.667693248, 0.694890822, 0.846153846, 0.617647059, 0.628571429, 0.721311475, 0.731900452,
        0.466180065}},
      {300,
       3,
       {0.769440549, 0.712973788, 0.568717588, 0.784946237, 0.603864734, 0.470967742, 0.588709677, 0.694405485,
        0.359844863}},
  };
  for (const Row& row : rows) {
    const auto [scores, positive] = binary(row.n, row.seed);
    const CutCounts c = count_at(scores, positive, 0.5);
    const std::vector<int64_t> counts = {c.tn, c.fp, c.fn, c.tp};
    const auto auc = roc_auc(scores, positive), area = average_precision(scores, positive);
    ASSERT_TRUE(auc && area);
    const std::array<double, 9> found = {auc->value,
                                         auc->low,
                                         area->value,
                                         sensitivity(c).value,
                                         specificity(c).value,
                                         precision(c).value,
                                         f1(c).value,
                                         balanced_accuracy(class_scores(counts, 2)),
                                         matthews_correlation(counts, 2)};
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], row.expected[i], 1e-9) << row.n << ", " << i;
    EXPECT_LT(area->low, area->value);
    EXPECT_GT(area->high, area->value);
    EXPECT_GT(f1(c).value, f1(c).low);
  }
}

TEST(GoldenMetrics, SeveralClasses) {
  Generator g(4);
  std::vector<int32_t> truth, answers;
  for (int i = 0; i < 90; ++i) truth.push_back(static_cast<int32_t>(g.next() % 3));
  for (const int32_t t : truth) answers.push_back(g.next() % 10 < 6 ? t : static_cast<int32_t>(g.next() % 3));
  const std::vector<int64_t> counts = confusion(truth, answers, 3);
  EXPECT_NEAR(matthews_correlation(counts, 3), 0.475418213, 1e-9);
  EXPECT_NEAR(balanced_accuracy(class_scores(counts, 3)), 0.655195682, 1e-9);
  EXPECT_EQ(matthews_correlation(std::vector<int64_t>{5, 0, 3, 0}, 2), 0);  // one answer for all
}

TEST(GoldenMetrics, Regression) {
  Generator g(5);
  std::vector<double> truth, guess;
  for (int i = 0; i < 50; ++i) truth.push_back(g.next() % 100);
  for (const double t : truth) guess.push_back(t + g.next() % 21 - 10);
  const RegressionScores s = regression_scores(truth, guess);
  EXPECT_NEAR(s.mae.value, 5.16, 1e-9);
  EXPECT_NEAR(s.rmse.value, 5.905929224, 1e-9);
  EXPECT_NEAR(s.r2.value, 0.957727279, 1e-9);
  // The bootstrap's interval is near the normal one of a mean.
  double variance = 0;
  for (size_t i = 0; i < truth.size(); ++i) variance += std::pow(std::abs(guess[i] - truth[i]) - 5.16, 2) / 49;
  EXPECT_NEAR(s.mae.high - s.mae.low, 2 * 1.96 * std::sqrt(variance / 50), 0.15);
  EXPECT_LT(s.r2.low, s.r2.value);
  EXPECT_GT(s.rmse.high, s.rmse.value);
  EXPECT_TRUE(std::isnan(regression_scores(std::vector{1.0, 1.0}, std::vector{1.0, 2.0}).r2.value));
}

TEST(GoldenMetrics, McNemar) {
  struct Row {
    int first, second;
    double p;
  };
  for (const Row& row : {Row{10, 2, 0.038574219}, Row{0, 6, 0.03125}, Row{3, 3, 1}, Row{40, 25, 0.081681534}}) {
    std::vector<uint8_t> a(100, 1), b(100, 1);
    std::fill_n(b.begin(), row.first, 0);
    std::fill_n(a.rbegin(), row.second, 0);
    const PairedTest t = compare_answers(a, b);
    EXPECT_EQ(t.only_first, row.first);
    EXPECT_EQ(t.only_second, row.second);
    EXPECT_NEAR(t.p, row.p, 1e-9);
    EXPECT_NEAR(t.difference.value, (row.first - row.second) / 100.0, 1e-12);
    EXPECT_EQ(t.difference.low > 0 || t.difference.high < 0, t.p < 0.05) << row.first;
  }
}

TEST(Ranking, Curves) {
  const auto [scores, positive] = binary(60, 2);
  const std::vector<CurvePoint> roc = roc_curve(scores, positive);
  // Of scikit-learn's points, those that are corners: 0.95 to 0.85 is a straight line up.
  const std::array<CurvePoint, 4> head = {
      CurvePoint{0, 0, INFINITY}, {0, 0.115385, 1}, {0.088235, 0.230769, 0.95}, {0.088235, 0.346154, 0.85}};
  for (size_t i = 0; i < head.size(); ++i) {
    EXPECT_NEAR(roc[i].x, head[i].x, 1e-6);
    EXPECT_NEAR(roc[i].y, head[i].y, 1e-6);
    EXPECT_EQ(roc[i].threshold, head[i].threshold);
  }
  EXPECT_EQ(roc.back().x, 1);
  EXPECT_EQ(roc.back().y, 1);
  double area = 0;
  for (size_t i = 1; i < roc.size(); ++i) area += (roc[i].x - roc[i - 1].x) * (roc[i].y + roc[i - 1].y) / 2;
  EXPECT_NEAR(area, roc_auc(scores, positive)->value, 1e-12);
  for (const CurvePoint& p : precision_recall_curve(scores, positive)) {
    const CutCounts c = count_at(scores, positive, p.threshold);
    EXPECT_DOUBLE_EQ(p.x, sensitivity(c).value);
    EXPECT_DOUBLE_EQ(p.y, precision(c).value);
  }
}

TEST(Ranking, WhereThereIsNothingToRank) {
  const std::vector<double> s = {0.1, 0.9, 0.8};
  EXPECT_FALSE(roc_auc(s, std::vector<uint8_t>{0, 0, 0}));
  EXPECT_FALSE(average_precision(s, std::vector<uint8_t>{0, 0, 0}));
  EXPECT_FALSE(roc_auc({}, {}));
  EXPECT_TRUE(roc_curve(s, std::vector<uint8_t>{1, 1, 1}).empty());
  const Estimate perfect = *roc_auc(s, std::vector<uint8_t>{0, 1, 1});
  EXPECT_EQ(perfect.value, 1);
  EXPECT_NEAR(perfect.low, proportion(1, 1).low, 1e-12);  // one sample of the smaller class
  EXPECT_EQ(roc_auc(std::vector{0.5, 0.5}, std::vector<uint8_t>{0, 1})->value, 0.5);
}

TEST(Ranking, CalibrationBins) {
  const auto bins = calibration_bins(std::vector{0.0, 0.05, 0.55, 1.0}, std::vector<uint8_t>{0, 1, 1, 1}, 10);
  ASSERT_EQ(bins.size(), 3U);
  EXPECT_DOUBLE_EQ(bins[0].confidence, 0.025);
  EXPECT_DOUBLE_EQ(bins[0].share.value, 0.5);
  EXPECT_DOUBLE_EQ(bins[1].low, 0.5);
  EXPECT_EQ(bins[2].samples, 1);
}

TEST(Ranking, Thresholds) {
  //                               +    +    -    +    -    -
  const std::vector<double> s = {0.9, 0.8, 0.6, 0.4, 0.4, 0.2};
  const std::vector<uint8_t> y = {1, 1, 0, 1, 0, 0};
  using Kind = ThresholdRule::Kind;
  struct Row {
    ThresholdRule rule;
    double expected;  // < 0: none
  };
  const double kBelowAll = 0.1;
  for (const Row& row : {
           Row{{Kind::recall, 0.6}, 0.7}, Row{{Kind::recall, 0.67}, 0.3}, Row{{Kind::recall, 1}, 0.3},
           Row{{Kind::precision, 1}, 0.7}, Row{{Kind::precision, 0.6}, 0.3},  // 3 of 5
           Row{{Kind::precision, 0.5}, kBelowAll}, Row{{Kind::specificity, 1}, 0.7},
           Row{{Kind::specificity, 0.34}, 0.5}, Row{{Kind::specificity, 1.1}, -1}, Row{{Kind::cost, 0, 1, 1}, 0.7},
           Row{{Kind::cost, 0, 1, 5}, 0.3}, Row{{Kind::cost, 0, 9, 1}, 0.7},
           Row{{Kind::cost, 0, 1, 0}, 0.95},  // none at all
       }) {
    const auto found = choose_threshold(row.rule, s, y);
    ASSERT_EQ(found.has_value(), row.expected >= 0);
    EXPECT_NEAR(found.value_or(row.expected), row.expected, 1e-12);
  }
  EXPECT_FALSE(choose_threshold({Kind::precision, 0.9}, std::vector{0.9, 0.1}, std::vector<uint8_t>{0, 1}));
  EXPECT_FALSE(choose_threshold({Kind::recall, 0.5}, s, std::vector<uint8_t>(6, 1)));
}

// Labels drawn from softmax(z), logits given as 3z: the temperature to find is 3.
TEST(Temperature, FindsWhatLogitsWereMultipliedBy) {
  Generator g(7);
  std::vector<float> logits;
  std::vector<int32_t> labels;
  for (int i = 0; i < 20000; ++i) {
    std::array<double, 3> z{};
    double sum = 0;
    for (double& v : z) sum += std::exp(v = (g.next() % 1000) / 250.0);
    double at = sum * (g.next() % 65536) / 65536.0;
    int32_t label = 0;
    while (label < 2 && (at -= std::exp(z[static_cast<size_t>(label)])) > 0) ++label;
    labels.push_back(label);
    for (const double v : z) logits.push_back(static_cast<float>(3 * v));
  }
  const auto t = fit_temperature(logits, labels, 3);
  ASSERT_TRUE(t);
  EXPECT_NEAR(*t, 3, 0.1);
  const auto loss = [&](double at) { return log_loss(softmax(logits, 3, at), labels, 3); };
  EXPECT_LT(loss(*t), loss(*t * 1.02));
  EXPECT_LT(loss(*t), loss(*t / 1.02));
  EXPECT_LT(calibration_error(softmax(logits, 3, *t), labels, 3), calibration_error(softmax(logits, 3), labels, 3) / 5);
  // All right: the surer the better, without end.
  EXPECT_FALSE(fit_temperature(std::vector<float>{1, 0, 0, 1}, std::vector<int32_t>{0, 1}, 2));
  EXPECT_FALSE(fit_temperature(std::vector<float>{1, 0, 0, 1}, std::vector<int32_t>{1, 0}, 2));
}

// The answer is column 0 plus the sum of columns 1 and 2 in one group; column 3 is ignored.
TEST(Importance, ByPermutation) {
  Generator g(9);
  std::vector<float> x;
  for (int i = 0; i < 400 * 4; ++i) x.push_back(static_cast<float>(g.next() % 100) / 100);
  const auto answer = [](std::span<const float> row) { return 3 * row[0] + row[1] + row[2]; };
  std::vector<double> truth;
  for (size_t i = 0; i < 400; ++i) truth.push_back(static_cast<double>(answer(std::span(x).subspan(i * 4, 4))));
  int64_t asked = 0;
  const auto r2 = [&](std::span<const float> changed) {
    ++asked;
    double error = 0, spread = 0;
    for (size_t i = 0; i < 400; ++i) {
      error += std::pow(static_cast<double>(answer(changed.subspan(i * 4, 4))) - truth[i], 2);
      spread += std::pow(truth[i] - 2.475, 2);
    }
    return 1 - error / spread;
  };
  const std::vector<ColumnGroup> groups = {{"unused", {3}}, {"pair", {1, 2}}, {"main", {0}}};
  const std::vector<Importance> found = permutation_importance(x, 4, groups, r2, 5, 1);
  EXPECT_EQ(asked, 16);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name, "main");
  EXPECT_EQ(found[1].name, "pair");
  EXPECT_EQ(found[2].drop.value, 0);
  // A permuted column adds twice its variance: 2 * 9 of the whole 11, and 2 * 2.
  EXPECT_NEAR(found[0].drop.value, 18.0 / 11, 0.15);
  EXPECT_NEAR(found[1].drop.value, 4.0 / 11, 0.1);
  EXPECT_LT(found[0].drop.low, found[0].drop.value);
  const std::vector<Importance> again = permutation_importance(x, 4, groups, r2, 5, 1);
  EXPECT_EQ(again[0].drop.low, found[0].drop.low);
}

}  // namespace
}  // namespace lepton
