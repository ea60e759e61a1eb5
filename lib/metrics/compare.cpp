#include "metrics/compare.h"

#include <algorithm>
#include <cmath>

namespace lepton {

PairedTest compare_answers(std::span<const uint8_t> first_right, std::span<const uint8_t> second_right) {
  PairedTest test;
  for (size_t i = 0; i < first_right.size(); ++i) {
    test.only_first += first_right[i] > second_right[i];
    test.only_second += second_right[i] > first_right[i];
  }
  const auto b = static_cast<double>(test.only_first), c = static_cast<double>(test.only_second);
  const auto n = static_cast<double>(first_right.size());
  const double total = b + c, fewer = std::min(b, c);
  double tail = 0;
  for (double k = 0; k <= fewer; ++k) {
    tail += std::exp(std::lgamma(total + 1) - std::lgamma(k + 1) - std::lgamma(total - k + 1) - total * std::log(2.0));
  }
  test.p = std::min(1.0, 2 * tail);

  const double difference = (b - c) / (n + 2);
  const double half = 1.959963984540054 / (n + 2) * std::sqrt(b + c + 1 - (b - c) * (b - c) / (n + 2));
  test.difference = {(b - c) / n, std::max(-1.0, difference - half), std::min(1.0, difference + half)};
  return test;
}

}  // namespace lepton
