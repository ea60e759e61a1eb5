#include "metrics/regression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace lepton {
namespace {

// Sums that all three measures are made of; truth about its mean, so that squares do not cancel.
struct Sums {
  double n = 0, absolute = 0, squared = 0, truth = 0, truth_squared = 0;

  void add(double centred, double error) {
    ++n;
    absolute += std::abs(error);
    squared += error * error;
    truth += centred;
    truth_squared += centred * centred;
  }
  std::array<double, 3> scores() const {
    const double spread = truth_squared - truth * truth / n;
    const double r2 = spread > 0 ? 1 - squared / spread : std::numeric_limits<double>::quiet_NaN();
    return {absolute / n, std::sqrt(squared / n), r2};
  }
};

// q of the way from the first to the last, between neighbours in proportion.
double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace

RegressionScores regression_scores(std::span<const double> truth, std::span<const double> predicted) {
  const size_t n = truth.size();
  double mean = 0;
  for (const double t : truth) mean += t / static_cast<double>(n);
  Sums all;
  for (size_t i = 0; i < n; ++i) all.add(truth[i] - mean, predicted[i] - truth[i]);

  const size_t resamples = std::clamp<size_t>(100'000'000 / n, 100, 1000);
  std::array<std::vector<double>, 3> drawn;
  for (size_t r = 0; r < resamples; ++r) {
    Sums sums;
    for (size_t i = 0; i < n; i += 4) {
      const Random4 random = random4(0, Stream::resample, r, i);
      for (size_t k = 0; k < 4 && i + k < n; ++k) {
        const size_t j = below(random.v[k], static_cast<uint32_t>(n));
        sums.add(truth[j] - mean, predicted[j] - truth[j]);
      }
    }
    const std::array<double, 3> scores = sums.scores();
    for (size_t s = 0; s < scores.size(); ++s) {
      if (std::isfinite(scores[s])) drawn[s].push_back(scores[s]);
    }
  }
  const std::array<double, 3> value = all.scores();
  const auto estimate = [&](size_t s) {
    std::sort(drawn[s].begin(), drawn[s].end());
    return Estimate{value[s], quantile(drawn[s], 0.025), quantile(drawn[s], 0.975)};
  };
  return {estimate(0), estimate(1), estimate(2)};
}

}  // namespace lepton
