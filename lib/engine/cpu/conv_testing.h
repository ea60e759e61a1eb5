#pragma once
// What the tests of inference's own convolutions share.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "engine/cpu/arena.h"
#include "engine/cpu/conv.h"

namespace lepton::cpu {

struct ConvCase {
  int64_t h, w, in, out, pad_top, pad_left, out_h, out_w;
};

// A 3x3 convolution of samples of noise; run() computes it.
class OwnConvTest : public testing::TestWithParam<ConvCase> {
 protected:
  void SetUp() override {
    if (simd().lanes < 8) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
    const ConvCase& c = GetParam();
    x_ = noise(1, kSamples * c.h * c.w * c.in);
    kernel_ = noise(2, 9 * c.in * c.out);
    bias_ = aligned(noise(3, c.out), padded_channels(c.out));
  }

  // Samples [first, first + n), plain [n, h, w, c].
  virtual std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool) const = 0;

  void expect_the_convolution(double tolerance) const {
    const ConvCase& c = GetParam();
    const std::vector<float> y = run(0, kSamples, 2, Act::none, false), relu = run(0, kSamples, 2, Act::relu, false);
    ASSERT_EQ(std::ssize(y), kSamples * c.out_h * c.out_w * c.out);
    for (size_t i = 0; i < y.size(); ++i) {
      const auto at = static_cast<int64_t>(i), pixel = at / c.out;
      const int64_t sample = pixel / (c.out_h * c.out_w), row = pixel / c.out_w % c.out_h;
      ASSERT_NEAR(y[i], expected(sample, row, pixel % c.out_w, at % c.out), tolerance) << i;
      ASSERT_EQ(relu[i], y[i] > 0 ? y[i] : 0) << i;
    }
  }

  // Bit for bit.
  void expect_its_maxpool() const {
    const ConvCase& c = GetParam();
    const std::vector<float> y = run(0, kSamples, 1, Act::relu, false), pooled = run(0, kSamples, 2, Act::relu, true);
    const int64_t h = c.out_h / 2, w = c.out_w / 2;
    ASSERT_EQ(std::ssize(pooled), kSamples * h * w * c.out);
    for (size_t i = 0; i < pooled.size(); ++i) {
      const auto at = static_cast<int64_t>(i), pixel = at / c.out;
      const int64_t sample = pixel / (h * w), row = 2 * (pixel / w % h), column = 2 * (pixel % w);
      const auto value = [&](int64_t r, int64_t j) {
        return y[static_cast<size_t>(((sample * c.out_h + row + r) * c.out_w + column + j) * c.out + at % c.out)];
      };
      ASSERT_EQ(pooled[i], std::max(std::max(value(0, 0), value(0, 1)), std::max(value(1, 0), value(1, 1)))) << i;
    }
  }

  void expect_the_same_for_any_batch_and_threads(Act act, bool pool) const {
    const std::vector<float> together = run(0, kSamples, 1, act, pool);
    EXPECT_EQ(run(0, kSamples, 3, act, pool), together);
    const int64_t one = std::ssize(together) / kSamples;
    for (int64_t s = 0; s < kSamples; ++s) {
      const auto begin = together.begin() + s * one;
      EXPECT_EQ(run(s, 1, 2, act, pool), std::vector<float>(begin, begin + one)) << s;
    }
  }

  static AlignedFloats aligned(const std::vector<float>& values, int64_t size) {
    AlignedFloats copy(size);
    std::copy(values.begin(), values.end(), copy.data());
    return copy;
  }
  static std::vector<float> plain(const Map& map, int64_t n, const float* blocked) {
    std::vector<float> values(static_cast<size_t>(n * map.pixels() * map.c));
    for (int64_t s = 0; s < n; ++s) {
      unblock(map, blocked + s * map.sample(), values.data() + s * map.pixels() * map.c);
    }
    return values;
  }

  static constexpr int64_t kSamples = 5;
  std::vector<float> x_, kernel_;  // [kSamples, h, w, in], HWIO
  AlignedFloats bias_;

  static std::vector<float> noise(uint64_t stream, int64_t count) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t bits = random4(stream, Stream::sample, 0, static_cast<uint64_t>(i)).v[0];
      values.push_back(static_cast<float>(bits) / static_cast<float>(1U << 31) - 1);
    }
    return values;
  }

 private:
  double expected(int64_t sample, int64_t row, int64_t column, int64_t k) const {
    const ConvCase& c = GetParam();
    double sum = bias_.data()[k];
    for (int64_t tap = 0; tap < 9; ++tap) {
      const int64_t y = row + tap / 3 - c.pad_top, x = column + tap % 3 - c.pad_left;
      if (y < 0 || y >= c.h || x < 0 || x >= c.w) continue;
      for (int64_t i = 0; i < c.in; ++i) {
        sum += static_cast<double>(x_[static_cast<size_t>(((sample * c.h + y) * c.w + x) * c.in + i)]) *
               static_cast<double>(kernel_[static_cast<size_t>((tap * c.in + i) * c.out + k)]);
      }
    }
    return sum;
  }
};

}  // namespace lepton::cpu
