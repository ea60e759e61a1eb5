#pragma once
// Sums over rows or whole buffers, in double and in the fixed order of kernels/reduce.h: they repeat bit for bit.
#include <algorithm>
#include <cstdint>

#include "base/hd.h"
#include "cuda/divisor.h"
#include "kernels/reduce.h"

namespace lepton::cuda {

constexpr int64_t kBlockRows = 256;  // rows that one element of a launch adds up; many rows make many elements

LEPTON_HD int64_t sum_blocks(int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

// Two sums at once.
struct Two {
  double a, b;
  LEPTON_HD Two(double first = 0, double second = 0) : a(first), b(second) {}
  LEPTON_HD Two& operator+=(const Two& other) {
    a += other.a;
    b += other.b;
    return *this;
  }
};

// partial[block, column] of the terms (row, column), which are double or Two.
template <class V, class Term>
struct BlockSum {
  int64_t rows;
  Divisor columns;
  Term term;
  V* partial;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [block, column] = columns(i);
    const int64_t begin = block * kBlockRows;
    const int64_t end = begin + kBlockRows < rows ? begin + kBlockRows : rows;
    V sum = 0;
    for (int64_t row = begin; row < end; ++row) sum += term(row, column);
    partial[i] = sum;
  }
};

// groups[group, column] of blocks [count, columns].
template <class V>
struct GroupSum {
  int64_t count, columns;
  const V* blocks;
  V* groups;

  LEPTON_HD void operator()(int64_t i) const {
    const V* from = blocks + i % columns;
    const int64_t stride = columns;
    groups[i] = kernels::reduce_group<V>(count, i / columns, [=](int64_t block) { return from[block * stride]; });
  }
};

// total[i] = sum of `count` values that stand `stride` apart from i on.
template <class V>
struct Total {
  int64_t count, stride;
  const V* partial;
  V* total;

  LEPTON_HD void operator()(int64_t i) const {
    V sum = 0;
    for (int64_t k = 0; k < count; ++k) sum += partial[k * stride + i];
    total[i] = sum;
  }
};

// Room that column_sums needs, in doubles or Twos, for so many rows or fewer.
inline int64_t sums_room(int64_t rows, int64_t columns) {
  return (sum_blocks(rows) + kernels::kReduceGroups + 1) * columns;
}

// Returns [columns] sums of term(row, column), in `room`.
template <class P, class Term, class V>
const V* column_sums(P& policy, int64_t rows, int64_t columns, const Term& term, V* room) {
  const int64_t blocks = sum_blocks(rows);
  V *groups = room + blocks * columns, *total = groups + kernels::kReduceGroups * columns;
  policy.launch(blocks * columns, BlockSum<V, Term>{rows, Divisor(columns), term, room});
  policy.launch(kernels::kReduceGroups * columns, GroupSum<V>{blocks, columns, room, groups});
  policy.launch(columns, Total<V>{kernels::kReduceGroups, columns, groups, total});
  return total;
}

// parts[i] = term(i) + term(i + parts) + ... below count.
template <class Term>
struct StridedSum {
  int64_t count, parts;
  Term term;
  double* sums;
  LEPTON_HD void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t k = i; k < count; k += parts) sum += term(k);
    sums[i] = sum;
  }
};

struct Load {
  const double* from;
  LEPTON_HD double operator()(int64_t i) const { return from[i]; }
};

// Sums of so many terms: no element of a launch adds up many, unless there are very many.
constexpr int64_t kTermsAtOnce = 64, kMostParts = 65536;
inline int64_t parts_of(int64_t count) {
  return std::clamp<int64_t>((count + kTermsAtOnce - 1) / kTermsAtOnce, 1, kMostParts);
}

// Doubles of room that whole_sum needs for `count` terms or fewer.
inline int64_t whole_sum_room(int64_t count) {
  int64_t room = 0;
  for (int64_t parts = parts_of(count); parts > 1; parts = parts_of(parts)) room += parts;
  return room;
}

// *result = sum of term(i) over [0, count).
template <class P, class Term>
void whole_sum(P& policy, int64_t count, const Term& term, double* room, double* result) {
  int64_t parts = parts_of(count);
  policy.launch(parts, StridedSum<Term>{count, parts, term, parts > 1 ? room : result});
  while (parts > 1) {
    const int64_t next = parts_of(parts);
    policy.launch(next, StridedSum<Load>{parts, next, {room}, next > 1 ? room + parts : result});
    room += parts;
    parts = next;
  }
}

struct Square {
  const float* x;
  LEPTON_HD double operator()(int64_t i) const { return static_cast<double>(x[i]) * static_cast<double>(x[i]); }
};

}  // namespace lepton::cuda
