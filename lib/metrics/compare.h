#pragma once
// Two models on the same samples.
#include <cstdint>
#include <span>

#include "metrics/metrics.h"

namespace lepton {

struct PairedTest {
  int64_t only_first = 0, only_second = 0;  // samples that only one of them has right
  Estimate difference;                      // accuracy of the first minus that of the second
  double p = 1;                             // of differences at least this large if both were equally good
};
// right: [n], n >= 1, whether each has the sample right. p is McNemar's exact one, two-sided (binomial over the samples
// that tell them apart); the difference's 95 % interval is Wald's with half a sample added to each cell (Agresti and
// Min 2005).
PairedTest compare_answers(std::span<const uint8_t> first_right, std::span<const uint8_t> second_right);

}  // namespace lepton
