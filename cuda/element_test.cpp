#include "cuda/element.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace lepton::cuda {
namespace {

// The nearest value with `precision` bits, subnormal below 2^least, ties to even, by the C library.
float nearest(float v, int precision, int least, float most) {
  int exponent = 0;
  std::frexp(v, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - precision, least));
  const double rounded = std::nearbyint(static_cast<double>(v) / unit) * unit;
  if (std::abs(rounded) > static_cast<double>(most)) return std::copysign(std::numeric_limits<float>::infinity(), v);
  return static_cast<float>(rounded);
}

// Every exponent, and mantissas at, just off and half between the values of each type.
template <class F>
void over_floats(F f) {
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (const uint32_t high : {0U, 1U, 2U, 0x3FEU, 0x3FFU, 0x155U, 0x2AAU}) {
      for (const uint32_t low : {0U, 1U, 0xFFFU, 0x1000U, 0x1001U, 0x1FFFU}) {
        for (const uint32_t sign : {0U, 1U}) f(std::bit_cast<float>(sign << 31 | exponent << 23 | high << 13 | low));
      }
    }
    for (const uint32_t low : {0x7FFFU, 0x8000U, 0x8001U, 0x17FFFU, 0x18000U, 0x18001U}) {
      f(std::bit_cast<float>(exponent << 23 | low));
    }
  }
}

TEST(Bf16, RoundsToTheNearestAndToEven) {
  over_floats(
      [](float v) { EXPECT_EQ(rounded_to<Bf16>(v), nearest(v, 8, -133, std::bit_cast<float>(0x7F7F0000U))) << v; });
}

TEST(Half, RoundsToTheNearestAndToEven) {
  over_floats([](float v) { EXPECT_EQ(rounded_to<Half>(v), nearest(v, 11, -24, 65504)) << v; });
}

TEST(Tf32, RoundsToTheNearestAndToEven) {
  over_floats([](float v) { EXPECT_EQ(tf32(v), nearest(v, 11, -136, std::bit_cast<float>(0x7F7FE000U))) << v; });
}

template <class T>
void keep_every_pattern() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    T value;
    value.bits = static_cast<uint16_t>(bits);
    const T back(static_cast<float>(value));
    if (std::isnan(static_cast<float>(value))) {
      EXPECT_TRUE(std::isnan(static_cast<float>(back))) << bits;
    } else {
      EXPECT_EQ(back.bits, value.bits);
    }
  }
}

TEST(SixteenBits, EveryPatternComesBackAndNotANumberStaysOne) {
  keep_every_pattern<Bf16>();
  keep_every_pattern<Half>();
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isnan(rounded_to<Bf16>(std::bit_cast<float>(0x7F800001U))));
  EXPECT_TRUE(std::isnan(rounded_to<Half>(std::bit_cast<float>(0x7F800001U))));
  EXPECT_TRUE(std::isnan(tf32(nan)));
  EXPECT_EQ(rounded_to<Half>(infinity), infinity);
  EXPECT_EQ(tf32(infinity), infinity);
}

}  // namespace
}  // namespace lepton::cuda
