#include "metrics/temperature.h"

#include <algorithm>
#include <cmath>

namespace lepton {
namespace {

// Of the summed log-loss by 1/T: the mean logit under the probabilities less the label's.
double slope(std::span<const float> logits, std::span<const int32_t> labels, size_t classes, double inverse) {
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::span<const float> z = logits.subspan(i * classes, classes);
    const double top = *std::max_element(z.begin(), z.end());
    double weight = 0, weighted = 0;
    for (const float v : z) {
      const double w = std::exp((v - top) * inverse);
      weight += w;
      weighted += w * (v - top);
    }
    sum += weighted / weight - (z[static_cast<size_t>(labels[i])] - top);
  }
  return sum;
}

}  // namespace

std::optional<double> fit_temperature(std::span<const float> logits, std::span<const int32_t> labels, int64_t classes) {
  const auto width = static_cast<size_t>(classes);
  double low = std::log(0.01), high = std::log(100.0);
  if (!(slope(logits, labels, width, std::exp(low)) < 0) || !(slope(logits, labels, width, std::exp(high)) > 0)) {
    return std::nullopt;
  }
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (slope(logits, labels, width, std::exp(middle)) < 0 ? low : high) = middle;
  }
  return std::exp(-(low + high) / 2);
}

}  // namespace lepton
