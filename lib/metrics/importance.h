#pragma once
// What a model makes of each input column.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "metrics/metrics.h"

namespace lepton {

// Encoded columns that stand for one column of the table: a category's levels, a number and its missing flag.
struct ColumnGroup {
  std::string name;
  std::vector<int64_t> columns;
};

struct Importance {
  std::string name;
  Estimate drop;  // of the metric: mean over the repeats with Student's interval of that mean at 95 %
};

// How much a metric (larger = better) drops when a group's columns are permuted together over the samples (Breiman
// 2001), largest drop first, equals by name. x: [n, width], n >= 1; metric is asked for x itself first, then for
// each permuted x. repeats >= 2; permutations are a function of seed, group and repeat.
std::vector<Importance> permutation_importance(std::span<const float> x, int64_t width,
                                               std::span<const ColumnGroup> groups,
                                               const std::function<double(std::span<const float>)>& metric,
                                               int64_t repeats, uint64_t seed);

}  // namespace lepton
