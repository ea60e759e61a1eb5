#include "net/eigen.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace lepton {
namespace {

TEST(SymmetricEigen, SolvesAMatrixByHand) {
  const Eigen eigen = symmetric_eigen(std::vector<double>{2, 1, 1, 2}, 2);
  EXPECT_NEAR(eigen.values[0], 3, 1e-14);
  EXPECT_NEAR(eigen.values[1], 1, 1e-14);
  EXPECT_NEAR(eigen.vectors[0], eigen.vectors[1], 1e-14);
  EXPECT_NEAR(eigen.vectors[2], -eigen.vectors[3], 1e-14);
}

TEST(SymmetricEigen, RebuildsTheMatrixFromOrthonormalVectors) {
  for (const int64_t n : {1, 3, 12, 48}) {
    std::vector<double> a(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        const double value =
            uniform(random4(5, Stream::sample, static_cast<uint64_t>(i), static_cast<uint64_t>(j)).v[0]);
        a[static_cast<size_t>(i * n + j)] = a[static_cast<size_t>(j * n + i)] = value - 0.5;
      }
    }
    const Eigen eigen = symmetric_eigen(a, n);
    const auto component = [&](int64_t k, int64_t i) { return eigen.vectors[static_cast<size_t>(k * n + i)]; };
    for (int64_t i = 0; i < n; ++i) {
      if (i > 0) {
        EXPECT_GE(eigen.values[static_cast<size_t>(i - 1)], eigen.values[static_cast<size_t>(i)]);
      }
      for (int64_t j = 0; j < n; ++j) {
        double product = 0, rebuilt = 0;
        for (int64_t k = 0; k < n; ++k) {
          product += component(i, k) * component(j, k);
          rebuilt += eigen.values[static_cast<size_t>(k)] * component(k, i) * component(k, j);
        }
        EXPECT_NEAR(product, i == j ? 1 : 0, 1e-13) << n;
        EXPECT_NEAR(rebuilt, a[static_cast<size_t>(i * n + j)], 1e-13) << n;
      }
    }
  }
}

TEST(SymmetricEigen, BearsZero) {
  const Eigen eigen = symmetric_eigen(std::vector<double>(9, 0.0), 3);
  EXPECT_EQ(eigen.values, std::vector<double>(3, 0.0));
}

}  // namespace
}  // namespace lepton
