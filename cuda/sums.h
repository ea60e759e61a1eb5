#pragma once
// Sums over rows or whole buffers, in double and in the fixed order of kernels/reduce.h: they repeat bit for bit.
#include <algorithm>
#include <cstdint>

#include "base/hd.h"
#include "kernels/reduce.h"

namespace lepton::cuda {

// partial[group, column] of the terms (row, column) of `rows` rows.
template <class Term>
struct GroupSum {
  int64_t rows, columns;
  Term term;
  double* partial;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t column = i % columns;
    const Term& each = term;
    partial[i] = kernels::reduce_group<double>(rows, i / columns, [&](int64_t row) { return each(row, column); });
  }
};

// total[i] = sum of `count` values that stand `stride` apart from i on.
struct Total {
  int64_t count, stride;
  const double* partial;
  double* total;

  LEPTON_HD void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t k = 0; k < count; ++k) sum += partial[k * stride + i];
    total[i] = sum;
  }
};

// Doubles of room that column_sums needs.
LEPTON_HD int64_t sums_room(int64_t columns) { return (kernels::kReduceGroups + 1) * columns; }

// Returns [columns] sums of term(row, column), in `room`.
template <class P, class Term>
const double* column_sums(P& policy, int64_t rows, int64_t columns, const Term& term, double* room) {
  double* total = room + kernels::kReduceGroups * columns;
  policy.launch(kernels::kReduceGroups * columns, GroupSum<Term>{rows, columns, term, room});
  policy.launch(columns, Total{kernels::kReduceGroups, columns, room, total});
  return total;
}

// term(i) for i < count as rows of `columns` terms; what is past the end counts nothing.
template <class Term>
struct Folded {
  int64_t count, columns;
  Term term;

  LEPTON_HD double operator()(int64_t row, int64_t column) const {
    const int64_t i = row * columns + column;
    return i < count ? term(i) : 0;
  }
};

constexpr int64_t kSumColumns = 1024;  // sums of a whole buffer in parallel

// Doubles of room that whole_sum needs.
constexpr int64_t kWholeSumRoom = (kernels::kReduceGroups + 1) * kSumColumns;

// *result = sum of term(i) over [0, count).
template <class P, class Term>
void whole_sum(P& policy, int64_t count, const Term& term, double* room, double* result) {
  const int64_t columns = std::clamp<int64_t>(count, 1, kSumColumns), rows = (count + columns - 1) / columns;
  const double* sums = column_sums(policy, rows, columns, Folded<Term>{count, columns, term}, room);
  policy.launch(1, Total{columns, 1, sums, result});
}

struct Square {
  const float* x;
  LEPTON_HD double operator()(int64_t i) const { return static_cast<double>(x[i]) * static_cast<double>(x[i]); }
};

}  // namespace lepton::cuda
