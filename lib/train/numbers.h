#pragma once
// Regression: how far a network's numbers are from the targets.
#include <span>

#include "data/dataset.h"

namespace lepton {

inline bool is_regression(const DatasetMeta& meta) { return !meta.target_mean.empty(); }

// Mean squared error in squared standard deviations of the targets. outputs: [samples, targets] in standard deviations
// from the mean; unknown targets have no say.
double squared_error(std::span<const float> outputs, const SplitData& split, std::span<const int64_t> samples,
                     const DatasetMeta& meta);
// Its root, in the target's own units if there is one target, else in standard deviations.
double root_in_units(double squared, const DatasetMeta& meta);

}  // namespace lepton
