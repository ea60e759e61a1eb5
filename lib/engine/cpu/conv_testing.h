#pragma once
// What the tests of inference's convolutions share.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace lepton::cpu {

// Number i of a stream, in [-1, 1).
inline float noise(uint64_t stream, size_t i) {
  return static_cast<float>(random4(stream, Stream::sample, 0, i).v[0]) / static_cast<float>(1U << 31) - 1;
}

// pooled is the 2x2 maxpool of y [samples, h, w, c], bit for bit.
inline void expect_pooled(const std::vector<float>& y, const std::vector<float>& pooled, int64_t samples, int64_t h,
                          int64_t w, int64_t c) {
  ASSERT_EQ(std::ssize(pooled), samples * (h / 2) * (w / 2) * c);
  for (size_t i = 0; i < pooled.size(); ++i) {
    const auto at = static_cast<int64_t>(i), pixel = at / c;
    const int64_t sample = pixel / ((h / 2) * (w / 2)), row = 2 * (pixel / (w / 2) % (h / 2)),
                  column = 2 * (pixel % (w / 2));
    const auto value = [&](int64_t r, int64_t j) {
      return y[static_cast<size_t>(((sample * h + row + r) * w + column + j) * c + at % c)];
    };
    ASSERT_EQ(pooled[i], std::max(std::max(value(0, 0), value(0, 1)), std::max(value(1, 0), value(1, 1)))) << i;
  }
}

}  // namespace lepton::cpu
