#include "engine/cpu/simd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "engine/cpu/arena.h"

namespace lepton::cpu {
namespace {

// Every table this processor can run.
std::vector<const Simd*> tables() {
  std::vector<const Simd*> all = {&kSimdSse};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&kSimdAvx2);
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) all.push_back(&kSimdAvx512);
  return all;
}

AlignedFloats ramp(int64_t count, float low, float high) {
  AlignedFloats x(count);
  for (int64_t i = 0; i < count; ++i) {
    x.data()[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  }
  return x;
}

double exact(Act act, double x) {
  switch (act) {
    case Act::relu:
      return std::max(x, 0.0);
    case Act::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Act::silu:
      return x / (1 + std::exp(-x));
    case Act::none:
      break;
  }
  return x;
}

double exact_slope(Act act, double x) {
  const double s = 1 / (1 + std::exp(-x));
  switch (act) {
    case Act::relu:
      return x > 0 ? 1 : 0;
    case Act::gelu:
      return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
    case Act::silu:
      return s + x * s * (1 - s);
    case Act::none:
      break;
  }
  return 1;
}

TEST(Simd, ActivationsAndSlopesWithinOneMillionth) {
  for (const Simd* simd : tables()) {
    const int64_t rows = 4096, count = rows * simd->lanes;
    for (const auto& [low, high] : {std::pair(-6.0F, 6.0F), std::pair(-200.0F, 200.0F)}) {
      const AlignedFloats x = ramp(count, low, high), ones = ramp(count, 1, 1), y(count), dx(count);
      for (const Act act : {Act::none, Act::relu, Act::gelu, Act::silu}) {
        simd->activate(x.data(), y.data(), rows, act);
        simd->activate_backward(x.data(), ones.data(), dx.data(), rows, act);
        for (int64_t i = 0; i < count; ++i) {
          const double v = static_cast<double>(x.data()[i]), tolerance = 1e-6 * std::max(1.0, std::abs(v));
          ASSERT_NEAR(static_cast<double>(y.data()[i]), exact(act, v), tolerance) << simd->name << " at " << v;
          ASSERT_NEAR(static_cast<double>(dx.data()[i]), exact_slope(act, v), 2e-6) << simd->name << " at " << v;
        }
      }
    }
  }
}

TEST(Simd, MaxPoolTakesTheFirstLargestAndSendsItsGradientBack) {
  for (const Simd* simd : tables()) {
    const int64_t lanes = simd->lanes;
    const PoolShape shape{5, 4, 2, 2, 3, 2, 2, 2, 0, 0};  // overlapping rows, tiled columns
    AlignedFloats x(20 * lanes), y(4 * lanes), dx(20 * lanes), index(4 * lanes);
    for (int64_t i = 0; i < 20 * lanes; ++i) {
      x.data()[i] = static_cast<float>(below(random4(1, Stream::sample, 0, static_cast<uint64_t>(i)).v[0], 5)) - 2;
    }
    auto* places = reinterpret_cast<int32_t*>(index.data());
    simd->maxpool(x.data(), y.data(), places, shape);
    AlignedFloats dy = ramp(4 * lanes, 1, 2);
    simd->maxpool_backward(dy.data(), nullptr, places, dx.data(), shape);
    std::vector<float> expected(static_cast<size_t>(20 * lanes), 0.0F);
    for (int64_t o = 0; o < 4; ++o) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        int64_t best = -1;
        for (int64_t i = 0; i < 6; ++i) {
          const int64_t at = ((o / 2 * 2 + i / 2) * 4 + o % 2 * 2 + i % 2) * lanes + lane;
          if (best < 0 || x.data()[at] > x.data()[best]) best = at;
        }
        ASSERT_EQ(y.data()[o * lanes + lane], x.data()[best]);
        expected[static_cast<size_t>(best)] += dy.data()[o * lanes + lane];
      }
    }
    for (int64_t i = 0; i < 20 * lanes; ++i) ASSERT_FLOAT_EQ(dx.data()[i], expected[static_cast<size_t>(i)]);
  }
}

TEST(Simd, StatisticsKeepASmallVarianceBesideALargeMean) {
  for (const Simd* simd : tables()) {
    const int64_t rows = 10000;
    AlignedFloats x(rows * simd->lanes);
    for (int64_t i = 0; i < rows * simd->lanes; ++i) x.data()[i] = 1000 + ((i / simd->lanes) % 2 == 0 ? 0.25F : -0.25F);
    std::vector<double> sum(16), square(16);
    AlignedFloats shift = ramp(16, 1000, 1000);
    simd->stats(x.data(), rows, shift.data(), sum.data(), square.data());
    EXPECT_DOUBLE_EQ(sum[0], 0);
    EXPECT_DOUBLE_EQ(square[0] / static_cast<double>(rows), 0.0625);
  }
}

TEST(Simd, DenseRowsDoNotDependOnTheirNeighbours) {
  for (const Simd* simd : tables()) {
    const int64_t rows = 19, inputs = 37, outputs = 3 * simd->lanes;
    const AlignedFloats x = ramp(rows * inputs, -1, 1), w = ramp(inputs * outputs, -0.5F, 0.7F),
                        bias = ramp(outputs, 0, 3);
    AlignedFloats all(rows * outputs), one(outputs);
    simd->dense(x.data(), w.data(), bias.data(), all.data(), rows, inputs, outputs, 0, outputs);
    for (int64_t r = 0; r < rows; ++r) {
      simd->dense(x.data() + r * inputs, w.data(), bias.data(), one.data(), 1, inputs, outputs, 0, outputs);
      for (int64_t o = 0; o < outputs; ++o) {
        ASSERT_EQ(all.data()[r * outputs + o], one.data()[o]) << simd->name << " " << r << " " << o;
        double expected = static_cast<double>(bias.data()[o]);
        for (int64_t k = 0; k < inputs; ++k) {
          expected += static_cast<double>(x.data()[r * inputs + k]) * static_cast<double>(w.data()[k * outputs + o]);
        }
        ASSERT_NEAR(static_cast<double>(one.data()[o]), expected, 1e-4) << simd->name << " " << r << " " << o;
      }
    }
  }
}

}  // namespace
}  // namespace lepton::cpu
