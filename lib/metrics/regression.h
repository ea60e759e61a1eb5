#pragma once
// Measures of predicted numbers.
#include <cstdint>
#include <span>

#include "metrics/metrics.h"

namespace lepton {

// In the units of the target (mae, rmse) and as a share of its variance (r2 = 1 - sum of squared errors / sum of
// squares about the mean of truth; NaN where truth is one value). Intervals at 95 % are the 2.5th and 97.5th
// percentiles of bootstrap resamples of the samples (Efron 1979): 1,000 of them, fewer above 100,000 samples, with a
// fixed seed.
struct RegressionScores {
  Estimate mae, rmse, r2;
};
// truth, predicted: [n], n >= 1.
RegressionScores regression_scores(std::span<const double> truth, std::span<const double> predicted);

}  // namespace lepton
