#include "engine/cpu/winograd.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/cpu/conv_testing.h"

namespace lepton::cpu {
namespace {

struct Case {
  int64_t h, w, in, out, pad_top, pad_left, out_h, out_w;
};

class Winograd : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (simd().lanes < 8) GTEST_SKIP() << "this processor has neither AVX2 nor AVX-512";
    const Case& c = GetParam();
    shape_ = {{c.h, c.w, c.in}, {c.out_h, c.out_w, c.out}, c.pad_top, c.pad_left};
    x_.assign(static_cast<size_t>(kSamples * c.h * c.w * c.in), 0);
    for (size_t i = 0; i < x_.size(); ++i) x_[i] = noise(1, i);
    kernel_.assign(static_cast<size_t>(9 * c.in * c.out), 0);
    for (size_t i = 0; i < kernel_.size(); ++i) kernel_[i] = noise(2, i);
    bias_ = AlignedFloats(padded_channels(c.out));
    for (int64_t i = 0; i < c.out; ++i) bias_.data()[i] = noise(3, static_cast<size_t>(i));
    const std::vector<float> packed = pack_winograd(kernel_, c.in, c.out);
    packed_ = AlignedFloats(std::ssize(packed));
    std::copy(packed.begin(), packed.end(), packed_.data());
  }

  // Samples [first, first + n), plain [n, h, w, c].
  std::vector<float> run(int64_t first, int64_t n, int threads, Act act, bool pool = false) const {
    WinogradShape shape = shape_;
    shape.pool = pool;
    const Map out = shape.out();
    AlignedFloats x(n * shape.in.sample()), y(n * out.sample()), work(winograd_scratch(shape, n, threads));
    for (int64_t s = 0; s < n; ++s) {
      block(shape_.in, x_.data() + (first + s) * shape_.in.pixels() * shape_.in.c, x.data() + s * shape_.in.sample());
    }
    winograd(shape, n, x.data(), packed_.data(), bias_.data(), act, y.data(), work.data(), threads);
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
        sum += static_cast<double>(x_[static_cast<size_t>(((sample * c.h + y) * c.w + x) * c.in + i)]) *
               static_cast<double>(kernel_[static_cast<size_t>((tap * c.in + i) * c.out + k)]);
      }
    }
    return sum;
  }

  static constexpr int64_t kSamples = 5;
  WinogradShape shape_{};
  std::vector<float> x_, kernel_;
  AlignedFloats bias_, packed_;
};

TEST_P(Winograd, IsTheConvolution) {
  const Case& c = GetParam();
  const std::vector<float> y = run(0, kSamples, 2, Act::none), relu = run(0, kSamples, 2, Act::relu);
  const double tolerance = 2e-5 * std::sqrt(9.0 * static_cast<double>(c.in));
  for (size_t i = 0; i < y.size(); ++i) {
    const auto at = static_cast<int64_t>(i), pixel = at / c.out;
    const double wanted = expected(pixel / (c.out_h * c.out_w), pixel / c.out_w % c.out_h, pixel % c.out_w, at % c.out);
    ASSERT_NEAR(y[i], wanted, tolerance) << i;
    ASSERT_EQ(relu[i], y[i] > 0 ? y[i] : 0) << i;
  }
}

TEST_P(Winograd, PoolsWhatItComputes) {
  const Case& c = GetParam();
  const std::vector<float> y = run(0, kSamples, 1, Act::relu), pooled = run(0, kSamples, 2, Act::relu, true);
  expect_pooled(y, pooled, kSamples, c.out_h, c.out_w, c.out);
}

TEST_P(Winograd, AnswersDoNotDependOnBatchOrThreads) {
  const std::vector<float> together = run(0, kSamples, 1, Act::gelu);
  EXPECT_EQ(run(0, kSamples, 3, Act::gelu), together);
  const size_t one = together.size() / kSamples;
  for (int64_t s = 0; s < kSamples; ++s) {
    const auto begin = together.begin() + s * static_cast<int64_t>(one);
    EXPECT_EQ(run(s, 1, 2, Act::gelu), std::vector<float>(begin, begin + static_cast<int64_t>(one))) << s;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         testing::Values(Case{8, 8, 16, 16, 1, 1, 8, 8}, Case{4, 4, 48, 80, 1, 1, 4, 4},
                                         Case{7, 9, 20, 33, 1, 1, 7, 9}, Case{5, 3, 16, 130, 0, 0, 3, 1},
                                         Case{6, 5, 40, 24, 2, 2, 8, 7}, Case{1, 1, 64, 64, 1, 1, 1, 1},
                                         Case{33, 18, 17, 16, 1, 0, 33, 16}));

}  // namespace
}  // namespace lepton::cpu
