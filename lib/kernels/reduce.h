#pragma once
// Sums in a fixed order of two levels: terms within groups, then the groups. Groups may be summed on any thread, the
// result is the same bit for bit.
#include <cstdint>

#include "base/hd.h"

namespace lepton::kernels {

constexpr int64_t kReduceGroups = 16;

struct GroupRange {
  int64_t begin, end;
};

// The terms of one group of `count` terms.
LEPTON_HD GroupRange group_range(int64_t count, int64_t group) {
  return {count * group / kReduceGroups, count * (group + 1) / kReduceGroups};
}

template <class T, class Term>
LEPTON_HD T reduce_group(int64_t count, int64_t group, Term term) {
  const GroupRange range = group_range(count, group);
  T total = 0;
  for (int64_t i = range.begin; i < range.end; ++i) total += term(i);
  return total;
}

// term(0) + ... + term(count - 1).
template <class T, class Term>
LEPTON_HD T reduce(int64_t count, Term term) {
  T total = 0;
  for (int64_t group = 0; group < kReduceGroups; ++group) total += reduce_group<T>(count, group, term);
  return total;
}

}  // namespace lepton::kernels
