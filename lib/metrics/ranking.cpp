#include "metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lepton {
namespace {

constexpr double kZ = 1.959963984540054;

// Samples of one score, with how many have it or a higher one.
struct Step {
  double score;
  int64_t tp, fp;
};

// By falling score.
std::vector<Step> steps_of(std::span<const double> scores, std::span<const uint8_t> positive) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<Step> steps;
  int64_t tp = 0, fp = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    positive[order[i]] ? ++tp : ++fp;
    const double score = scores[order[i]];
    if (i + 1 == order.size() || scores[order[i + 1]] != score) steps.push_back({score, tp, fp});
  }
  return steps;
}

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

std::optional<Estimate> roc_auc(std::span<const double> scores, std::span<const uint8_t> positive) {
  const std::vector<Step> steps = steps_of(scores, positive);
  const int64_t m = steps.empty() ? 0 : steps.back().tp, n = steps.empty() ? 0 : steps.back().fp;
  if (m == 0 || n == 0) return std::nullopt;
  // Each positive's share of negatives below it, each negative's of positives above it, ties half: their means are the
  // area, their variances over m and n add up to its variance.
  double sum = 0, squares_p = 0, squares_n = 0;
  int64_t tp = 0, fp = 0;
  for (const Step& s : steps) {
    const int64_t p = s.tp - tp, q = s.fp - fp;
    const double below = (static_cast<double>(n - s.fp) + static_cast<double>(q) / 2) / static_cast<double>(n);
    const double above = (static_cast<double>(tp) + static_cast<double>(p) / 2) / static_cast<double>(m);
    sum += static_cast<double>(p) * below;
    squares_p += static_cast<double>(p) * below * below;
    squares_n += static_cast<double>(q) * above * above;
    tp = s.tp;
    fp = s.fp;
  }
  const auto md = static_cast<double>(m), nd = static_cast<double>(n);
  const double auc = sum / md;
  if (auc >= 1 || auc <= 0) {
    const int64_t fewer = std::min(m, n);
    return proportion(auc >= 1 ? fewer : 0, fewer);
  }
  const double variance_p = m > 1 ? std::max(0.0, squares_p - md * auc * auc) / (md - 1) : 0;
  const double variance_n = n > 1 ? std::max(0.0, squares_n - nd * auc * auc) / (nd - 1) : 0;
  const double half = kZ * std::sqrt(variance_p / md + variance_n / nd);
  return Estimate{auc, std::max(0.0, auc - half), std::min(1.0, auc + half)};
}

std::optional<Estimate> average_precision(std::span<const double> scores, std::span<const uint8_t> positive) {
  const std::vector<Step> steps = steps_of(scores, positive);
  const int64_t m = steps.empty() ? 0 : steps.back().tp;
  if (m == 0) return std::nullopt;
  double area = 0;
  int64_t tp = 0;
  for (const Step& s : steps) {
    area += ratio(s.tp - tp, m) * ratio(s.tp, s.tp + s.fp);
    tp = s.tp;
  }
  if (area >= 1) return proportion(m, m);
  const double logit = std::log(area / (1 - area)), half = kZ / std::sqrt(static_cast<double>(m) * area * (1 - area));
  const auto expit = [](double x) { return 1 / (1 + std::exp(-x)); };
  return Estimate{area, expit(logit - half), expit(logit + half)};
}

CutCounts count_at(std::span<const double> scores, std::span<const uint8_t> positive, double threshold) {
  CutCounts c;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= threshold) {
      positive[i] ? ++c.tp : ++c.fp;
    } else {
      positive[i] ? ++c.fn : ++c.tn;
    }
  }
  return c;
}

Estimate sensitivity(const CutCounts& c) { return proportion(c.tp, c.tp + c.fn); }
Estimate specificity(const CutCounts& c) { return proportion(c.tn, c.tn + c.fp); }
Estimate precision(const CutCounts& c) { return proportion(c.tp, c.tp + c.fp); }
Estimate f1(const CutCounts& c) {
  const Estimate j = proportion(c.tp, c.tp + c.fp + c.fn);
  const auto dice = [](double x) { return 2 * x / (1 + x); };
  return {dice(j.value), dice(j.low), dice(j.high)};
}

std::vector<CurvePoint> roc_curve(std::span<const double> scores, std::span<const uint8_t> positive) {
  const std::vector<Step> steps = steps_of(scores, positive);
  if (steps.empty() || steps.back().tp == 0 || steps.back().fp == 0) return {};
  const int64_t m = steps.back().tp, n = steps.back().fp;
  std::vector<CurvePoint> curve = {{0, 0, std::numeric_limits<double>::infinity()}};
  Step before{0, 0, 0};
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& s = steps[i];
    const bool straight = i + 1 < steps.size() && (s.tp - before.tp) * (steps[i + 1].fp - s.fp) ==
                                                      (s.fp - before.fp) * (steps[i + 1].tp - s.tp);
    if (!straight) curve.push_back({ratio(s.fp, n), ratio(s.tp, m), s.score});
    before = s;
  }
  return curve;
}

std::vector<CurvePoint> precision_recall_curve(std::span<const double> scores, std::span<const uint8_t> positive) {
  const std::vector<Step> steps = steps_of(scores, positive);
  if (steps.empty() || steps.back().tp == 0) return {};
  std::vector<CurvePoint> curve;
  int64_t tp = 0;
  for (const Step& s : steps) {
    if (s.tp == tp && !curve.empty()) continue;
    curve.push_back({ratio(s.tp, steps.back().tp), ratio(s.tp, s.tp + s.fp), s.score});
    tp = s.tp;
  }
  return curve;
}

std::vector<CalibrationBin> calibration_bins(std::span<const double> probabilities, std::span<const uint8_t> positive,
                                             int bins) {
  std::vector<CalibrationBin> all(static_cast<size_t>(bins));
  std::vector<int64_t> positives(all.size());
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const size_t bin = std::min(all.size() - 1, static_cast<size_t>(probabilities[i] * bins));
    all[bin].confidence += probabilities[i];
    positives[bin] += positive[i];
    ++all[bin].samples;
  }
  for (size_t b = 0; b < all.size(); ++b) {
    all[b].low = static_cast<double>(b) / bins;
    all[b].confidence /= static_cast<double>(std::max<int64_t>(1, all[b].samples));
    all[b].share = proportion(positives[b], all[b].samples);
  }
  std::erase_if(all, [](const CalibrationBin& b) { return b.samples == 0; });
  return all;
}

std::optional<double> choose_threshold(const ThresholdRule& rule, std::span<const double> scores,
                                       std::span<const uint8_t> positive) {
  const std::vector<Step> steps = steps_of(scores, positive);
  if (steps.empty() || steps.back().tp == 0 || steps.back().fp == 0) return std::nullopt;
  const int64_t m = steps.back().tp, n = steps.back().fp;
  const auto cut_below = [&](size_t i) {  // answers the samples of steps [0, i] with the class
    const double next = i + 1 < steps.size() ? steps[i + 1].score : std::min(0.0, steps[i].score);
    return next + (steps[i].score - next) / 2;
  };
  using Kind = ThresholdRule::Kind;
  std::optional<double> best;
  double least_cost = std::numeric_limits<double>::infinity();
  if (steps[0].score < 1) {  // a cut above all scores answers the class for none
    best = steps[0].score + (1 - steps[0].score) / 2;
    least_cost = rule.false_negative * static_cast<double>(m);
    if (rule.kind != Kind::cost && (rule.kind != Kind::specificity || rule.least > 1)) best.reset();
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& s = steps[i];
    const double cost =
        rule.false_positive * static_cast<double>(s.fp) + rule.false_negative * static_cast<double>(m - s.tp);
    switch (rule.kind) {
      case Kind::recall:
        if (ratio(s.tp, m) >= rule.least) return cut_below(i);
        break;
      case Kind::specificity:
        if (ratio(n - s.fp, n) >= rule.least) best = cut_below(i);
        break;
      case Kind::precision:
        if (ratio(s.tp, s.tp + s.fp) >= rule.least) best = cut_below(i);
        break;
      case Kind::cost:
        if (cost < least_cost) {
          least_cost = cost;
          best = cut_below(i);
        }
        break;
    }
  }
  return best;
}

}  // namespace lepton
