#pragma once
// Sums over rows or whole buffers, in double and in the fixed order of kernels/reduce.h: they repeat bit for bit.
#include <algorithm>
#include <cstdint>

#include "base/hd.h"
#include "kernels/reduce.h"

namespace lepton::cuda {

constexpr int64_t kBlockRows = 256;  // rows that one element of a launch adds up; many rows make many elements

LEPTON_HD int64_t sum_blocks(int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

// partial[block, column] of the terms (row, column).
template <class Term>
struct BlockSum {
  int64_t rows, columns;
  Term term;
  double* partial;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t column = i % columns, begin = i / columns * kBlockRows;
    const int64_t end = begin + kBlockRows < rows ? begin + kBlockRows : rows;
    double sum = 0;
    for (int64_t row = begin; row < end; ++row) sum += term(row, column);
    partial[i] = sum;
  }
};

// groups[group, column] of blocks [count, columns].
struct GroupSum {
  int64_t count, columns;
  const double* blocks;
  double* groups;

  LEPTON_HD void operator()(int64_t i) const {
    const double* from = blocks + i % columns;
    const int64_t stride = columns;
    groups[i] = kernels::reduce_group<double>(count, i / columns, [=](int64_t block) { return from[block * stride]; });
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

// Doubles of room that column_sums needs for so many rows or fewer.
inline int64_t sums_room(int64_t rows, int64_t columns) {
  return (sum_blocks(rows) + kernels::kReduceGroups + 1) * columns;
}

// Returns [columns] sums of term(row, column), in `room`.
template <class P, class Term>
const double* column_sums(P& policy, int64_t rows, int64_t columns, const Term& term, double* room) {
  const int64_t blocks = sum_blocks(rows);
  double *groups = room + blocks * columns, *total = groups + kernels::kReduceGroups * columns;
  policy.launch(blocks * columns, BlockSum<Term>{rows, columns, term, room});
  policy.launch(kernels::kReduceGroups * columns, GroupSum{blocks, columns, room, groups});
  policy.launch(columns, Total{kernels::kReduceGroups, columns, groups, total});
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

// How a whole buffer is folded, so that its sum is many columns' work.
inline int64_t fold_columns(int64_t count) { return std::clamp<int64_t>(count, 1, 1024); }
inline int64_t fold_rows(int64_t count) { return (count + fold_columns(count) - 1) / fold_columns(count); }

// Doubles of room that whole_sum needs for `count` terms or fewer.
inline int64_t whole_sum_room(int64_t count) { return sums_room(fold_rows(count), fold_columns(count)); }

// *result = sum of term(i) over [0, count).
template <class P, class Term>
void whole_sum(P& policy, int64_t count, const Term& term, double* room, double* result) {
  const int64_t columns = fold_columns(count);
  const double* sums = column_sums(policy, fold_rows(count), columns, Folded<Term>{count, columns, term}, room);
  policy.launch(1, Total{columns, 1, sums, result});
}

struct Square {
  const float* x;
  LEPTON_HD double operator()(int64_t i) const { return static_cast<double>(x[i]) * static_cast<double>(x[i]); }
};

}  // namespace lepton::cuda
