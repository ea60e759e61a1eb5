#include "cuda/sums.h"

#include <gtest/gtest.h>

#include <vector>

#include "cuda/host_policy.h"
#include "cuda/memory.h"

namespace lepton::cuda {
namespace {

struct Term {
  double operator()(int64_t row, int64_t column) const { return static_cast<double>(row * 3 + column * 7 + 1); }
};

TEST(ColumnSums, AddEveryRowOnce) {
  for (const int64_t rows : {1, 15, 255, 256, 257, 5000, 20000}) {
    for (const int64_t columns : {1, 2, 33}) {
      HostPolicy policy;
      const auto room = memory_of<double>(policy, sums_room(rows, columns));
      const double* sums = column_sums(policy, rows, columns, Term{}, room.as<double>());
      std::vector<double> result(static_cast<size_t>(columns));
      policy.download(result.data(), sums, columns * 8);
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t expected = 3 * (rows * (rows - 1) / 2) + rows * (c * 7 + 1);
        EXPECT_EQ(result[static_cast<size_t>(c)], static_cast<double>(expected)) << rows << " " << columns;
      }
    }
  }
}

// In the room of the largest, as the optimiser does.
TEST(WholeSum, AddsEveryTermOnce) {
  constexpr int64_t kMost = 300'001;
  HostPolicy policy;
  const auto room = memory_of<double>(policy, whole_sum_room(kMost)), result = memory_of<double>(policy, 1);
  const auto x = memory_of<float>(policy, kMost);
  policy.upload(x.as<void>(), std::vector<float>(kMost, 2).data(), x.bytes());
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{1023}, int64_t{1024}, int64_t{1025}, kMost}) {
    whole_sum(policy, count, Square{x.as<float>()}, room.as<double>(), result.as<double>());
    double sum = 0;
    policy.download(&sum, result.as<void>(), 8);
    EXPECT_EQ(sum, static_cast<double>(4 * count));
  }
}

}  // namespace
}  // namespace lepton::cuda
