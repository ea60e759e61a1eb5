#include "engine/cpu/first_conv.h"

#include <gtest/gtest.h>

#include "engine/cpu/conv_testing.h"

namespace lepton::cpu {
namespace {

struct Case {
  int64_t h, w, in, out, pad_top, pad_left, conv_h, conv_w;
};

class FirstConv : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (simd().lanes < 8) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
    const Case& c = GetParam();
    spec_.in = {c.h, c.w, c.in};
    spec_.out = {c.conv_h, c.conv_w, c.out};
    spec_.attributes.pad_top = c.pad_top;
    spec_.attributes.pad_left = c.pad_left;
    x_.resize(static_cast<size_t>(kSamples * c.h * c.w * c.in));
    for (size_t i = 0; i < x_.size(); ++i) x_[i] = noise(1, i);
    kernel_.resize(static_cast<size_t>(9 * c.in * c.out));
    for (size_t i = 0; i < kernel_.size(); ++i) kernel_[i] = noise(2, i);
    bias_ = AlignedFloats(padded_channels(c.out));
    for (int64_t i = 0; i < c.out; ++i) bias_.data()[i] = noise(3, static_cast<size_t>(i));
    const std::vector<float> packed = pack_first_conv(kernel_, c.in, c.out);
    packed_ = AlignedFloats(std::ssize(packed));
    std::copy(packed.begin(), packed.end(), packed_.data());
  }

  // Samples [first, first + n), plain [n, h, w, c].
  std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool) const {
    const FirstConvShape shape = first_conv_shape(spec_, pool);
    const Map out = shape.out();
    AlignedFloats y(n * out.sample()), work(threads * shape.in.c * shape.plane());
    first_conv(shape, n, x_.data() + first * shape.in.c * shape.in.pixels(), packed_.data(), bias_.data(), act,
               y.data(), work.data(), threads);
    std::vector<float> plain(static_cast<size_t>(n * out.pixels() * out.c));
    for (int64_t s = 0; s < n; ++s) unblock(out, y.data() + s * out.sample(), plain.data() + s * out.pixels() * out.c);
    return plain;
  }

  double expected(int64_t sample, int64_t row, int64_t column, int64_t k) const {
    const Case& c = GetParam();
    double sum = bias_.data()[k];
    for (int64_t tap = 0; tap < 9; ++tap) {
      const int64_t y = row + tap / 3 - c.pad_top, x = column + tap % 3 - c.pad_left;
      if (y < 0 || y >= c.h || x < 0 || x >= c.w) continue;
      for (int64_t i = 0; i < c.in; ++i) {
        sum += static_cast<double>(x_[static_cast<size_t>(((sample * c.in + i) * c.h + y) * c.w + x)]) *
               static_cast<double>(kernel_[static_cast<size_t>((tap * c.in + i) * c.out + k)]);
      }
    }
    return sum;
  }

  static constexpr int64_t kSamples = 5;
  ConvSpec spec_;
  std::vector<float> x_, kernel_;
  AlignedFloats bias_, packed_;
};

TEST_P(FirstConv, IsTheConvolution) {
  const Case& c = GetParam();
  const std::vector<float> y = run(0, kSamples, 2, Act::none, false), relu = run(0, kSamples, 2, Act::relu, false);
  for (size_t i = 0; i < y.size(); ++i) {
    const auto at = static_cast<int64_t>(i), pixel = at / c.out;
    const int64_t sample = pixel / (c.conv_h * c.conv_w), row = pixel / c.conv_w % c.conv_h;
    ASSERT_NEAR(y[i], expected(sample, row, pixel % c.conv_w, at % c.out), 1e-5) << i;
    ASSERT_EQ(relu[i], y[i] > 0 ? y[i] : 0) << i;
  }
}

TEST_P(FirstConv, PoolsWhatItComputes) {
  const Case& c = GetParam();
  const std::vector<float> y = run(0, kSamples, 1, Act::relu, false), pooled = run(0, kSamples, 1, Act::relu, true);
  expect_pooled(y, pooled, kSamples, c.conv_h, c.conv_w, c.out);
}

TEST_P(FirstConv, AnswersDoNotDependOnBatchOrThreads) {
  for (const bool pool : {false, true}) {
    const std::vector<float> together = run(0, kSamples, 1, Act::relu, pool);
    EXPECT_EQ(run(0, kSamples, 3, Act::relu, pool), together);
    const int64_t one = std::ssize(together) / kSamples;
    for (int64_t s = 0; s < kSamples; ++s) {
      const auto begin = together.begin() + s * one;
      EXPECT_EQ(run(s, 1, 2, Act::relu, pool), std::vector<float>(begin, begin + one)) << s;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FirstConv,
                         testing::Values(Case{32, 32, 3, 32, 1, 1, 32, 32}, Case{28, 28, 1, 24, 1, 1, 28, 28},
                                         Case{7, 9, 3, 50, 1, 1, 7, 9}, Case{33, 18, 3, 16, 0, 0, 31, 16},
                                         Case{19, 5, 1, 100, 2, 2, 21, 7}, Case{3, 3, 3, 8, 0, 0, 1, 1},
                                         Case{17, 6, 3, 33, 1, 0, 17, 4}));

}  // namespace
}  // namespace lepton::cpu
