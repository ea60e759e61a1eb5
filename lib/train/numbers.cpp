#include "train/numbers.h"

#include <algorithm>
#include <cmath>

namespace lepton {

double squared_error(std::span<const float> outputs, const SplitData& split, std::span<const int64_t> samples,
                     const DatasetMeta& meta) {
  const size_t targets = meta.target_mean.size();
  double sum = 0;
  int64_t known = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const size_t t = i % targets, sample = static_cast<size_t>(samples[i / targets]);
    const float truth = (split.targets()[sample * targets + t] - meta.target_mean[t]) / meta.target_std[t];
    if (std::isnan(truth)) continue;
    const double error = static_cast<double>(outputs[i]) - static_cast<double>(truth);
    sum += error * error;
    ++known;
  }
  return sum / static_cast<double>(std::max<int64_t>(1, known));
}

double root_in_units(double squared, const DatasetMeta& meta) {
  return std::sqrt(squared) * (meta.target_std.size() == 1 ? static_cast<double>(meta.target_std[0]) : 1);
}

}  // namespace lepton
