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

// Bf16 rounds as lepton::Bf16 does one by one, and every loop is that in fp32 on rounded numbers, rounded.
class Bf16Rows : public testing::Test {
 protected:
  static constexpr int64_t kRows = 100, kCount = kRows * 16;

  void SetUp() override {
    if (!has_bf16()) GTEST_SKIP() << "this processor has no instructions for bf16";
    x_ = numbers(1);
    y_ = numbers(2);
    z_ = numbers(3);
  }

  // Numbers that bf16 can express.
  static AlignedFloats numbers(uint64_t seed) {
    AlignedFloats all(kCount);
    for (int64_t i = 0; i < kCount; ++i) {
      all.data()[i] = Bf16(4 * uniform(random4(seed, Stream::sample, 0, static_cast<uint64_t>(i)).v[0]) - 2);
    }
    return all;
  }
  static Bf16* at(AlignedFloats& buffer) { return reinterpret_cast<Bf16*>(buffer.data()); }
  static AlignedFloats bf16(const AlignedFloats& wide) {
    AlignedFloats half(wide.size() / 2);
    for (int64_t i = 0; i < wide.size(); ++i) at(half)[i] = Bf16(wide.data()[i]);
    return half;
  }
  static void expect_rounded(AlignedFloats& half, const AlignedFloats& wide, const char* what) {
    for (int64_t i = 0; i < wide.size(); ++i) ASSERT_EQ(at(half)[i].bits, Bf16(wide.data()[i]).bits) << what << i;
  }

  AlignedFloats x_, y_, z_;
};

TEST_F(Bf16Rows, RoundToNearestEvenAndKeepWhatIsNotFinite) {
  AlignedFloats x(16 * 64), half(16 * 32), back(16 * 64);
  for (int64_t i = 0; i < 16 * 64; ++i) {  // 1 + the lower 17 bits, around each tie
    const auto low = static_cast<uint32_t>(i % 8 - 4 + (i / 8) * 0x8000);
    x.data()[i] = float_of((i % 2 == 0 ? 0x3F800000 : 0xBF800000) + low % 0x20000);
  }
  const uint32_t odd[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F7FFFFF, 0x80000000, 0};
  for (size_t i = 0; i < std::size(odd); ++i) x.data()[i] = float_of(odd[i]);
  kRowsBf16.from_float(x.data(), at(half), 64);
  expect_rounded(half, x, "from_float ");
  kRowsBf16.to_float(at(half), back.data(), 64);
  for (int64_t i = 0; i < 16 * 64; ++i) ASSERT_EQ(bits_of(back.data()[i]) >> 16, at(half)[i].bits);
}

TEST_F(Bf16Rows, ComputeAsFloatsDo) {
  const Simd& wide = kSimdAvx512;
  const Rows<Bf16>& half = kRowsBf16;
  AlignedFloats x = bf16(x_), y = bf16(y_), z = bf16(z_), out(kCount / 2), index(kCount), places(kCount);
  AlignedFloats expected(kCount);
  const float *a = x_.data(), *b = y_.data(), *c = z_.data();
  for (const Act act : {Act::none, Act::relu, Act::gelu, Act::silu}) {
    half.affine(at(x), at(y), at(out), kRows, a, b, act);
    wide.affine(a, b, expected.data(), kRows, a, b, act);
    expect_rounded(out, expected, "affine ");
    half.affine_backward(at(x), at(y), at(z), at(out), kRows, a, b, c, a, b, act);
    wide.affine_backward(a, b, c, expected.data(), kRows, a, b, c, a, b, act);
    expect_rounded(out, expected, "affine_backward ");
    half.activate(at(x), at(out), kRows, act);
    wide.activate(a, expected.data(), kRows, act);
    expect_rounded(out, expected, "activate ");
    half.activate_backward(at(x), at(y), at(out), kRows, act);
    wide.activate_backward(a, b, expected.data(), kRows, act);
    expect_rounded(out, expected, "activate_backward ");
    std::vector<double> sums(64);
    half.affine_reduce(at(x), at(y), at(z), kRows, a, b, c, act, sums.data(), sums.data() + 16);
    wide.affine_reduce(a, b, c, kRows, a, b, c, act, sums.data() + 32, sums.data() + 48);
    EXPECT_TRUE(std::equal(sums.begin(), sums.begin() + 32, sums.begin() + 32));
  }
  half.add(at(x), at(y), at(out), kRows);
  wide.add(a, b, expected.data(), kRows);
  expect_rounded(out, expected, "add ");
  half.scale(at(x), at(out), kRows, 0.3F);
  wide.scale(a, expected.data(), kRows, 0.3F);
  expect_rounded(out, expected, "scale ");
  std::vector<double> sums(96);
  half.sum(at(x), kRows, sums.data());
  half.stats(at(x), kRows, b, sums.data() + 16, sums.data() + 32);
  wide.sum(a, kRows, sums.data() + 48);
  wide.stats(a, kRows, b, sums.data() + 64, sums.data() + 80);
  EXPECT_TRUE(std::equal(sums.begin(), sums.begin() + 48, sums.begin() + 48));
}

TEST_F(Bf16Rows, PoolAsFloatsDo) {
  for (const PoolShape& shape : {PoolShape{10, 10, 5, 5, 2, 2, 2, 2, 0, 0}, PoolShape{10, 10, 4, 4, 3, 3, 2, 2, 0, 0},
                                 PoolShape{10, 10, 1, 1, 10, 10, 10, 10, 0, 0}}) {
    const int64_t pooled = shape.out_h * shape.out_w * 16;
    AlignedFloats x = bf16(x_), y = bf16(y_), out(pooled / 2), dx(kCount / 2), index(pooled), places(pooled);
    AlignedFloats expected(pooled), gradient(kCount);
    auto *i = reinterpret_cast<int32_t*>(index.data()), *j = reinterpret_cast<int32_t*>(places.data());
    kRowsBf16.maxpool(at(x), at(out), i, shape);
    kSimdAvx512.maxpool(x_.data(), expected.data(), j, shape);
    expect_rounded(out, expected, "maxpool ");
    EXPECT_TRUE(std::equal(i, i + pooled, j));
    kRowsBf16.maxpool_backward(at(y), at(out), i, at(dx), shape);
    kSimdAvx512.maxpool_backward(y_.data(), expected.data(), j, gradient.data(), shape);
    if (shape.kh == shape.sh) expect_rounded(dx, gradient, "maxpool_backward ");
    kRowsBf16.avgpool(at(x), at(out), shape);
    kSimdAvx512.avgpool(x_.data(), expected.data(), shape);
    expect_rounded(out, expected, "avgpool ");
    kRowsBf16.avgpool_backward(at(y), at(dx), shape);
    kSimdAvx512.avgpool_backward(y_.data(), gradient.data(), shape);
    if (shape.kh == shape.sh) expect_rounded(dx, gradient, "avgpool_backward ");
  }
}

}  // namespace
}  // namespace lepton::cpu
