#include "cuda/divisor.h"

#include <gtest/gtest.h>

namespace lepton::cuda {
namespace {

TEST(Divisor, DividesExactly) {
  for (const int64_t d :
       {1L, 2L, 3L, 5L, 7L, 10L, 27L, 64L, 576L, 1023L, 1025L, 99999L, 65536L, (1L << 30) + 1, (1L << 31) - 1}) {
    const Divisor divisor(d);
    for (const int64_t q : {0L, 1L, 2L, 3L, 1000L, (1L << 31) / d - 1, (1L << 31) / d, (1L << 33) / d}) {
      for (const int64_t off : {-1L, 0L, 1L, d / 2}) {
        const int64_t i = q * d + off;
        if (i < 0) continue;
        EXPECT_EQ(divisor(i).quotient, i / d) << i << " / " << d;
        EXPECT_EQ(divisor(i).remainder, i % d) << i << " % " << d;
      }
    }
  }
}

}  // namespace
}  // namespace lepton::cuda
