// Known answers of each formula. That they fit together is the business of the layer tests.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/activation.h"
#include "kernels/augment.h"
#include "kernels/dropout.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"
#include "kernels/sequence.h"

namespace lepton::kernels {
namespace {

// What a device launch copies by value.
static_assert(std::is_trivially_copyable_v<Gelu<float>> && std::is_trivially_copyable_v<CrossEntropy<float>> &&
              std::is_trivially_copyable_v<Sgd<float>> && std::is_trivially_copyable_v<AdamW<float>> &&
              std::is_trivially_copyable_v<MuonUpdate<float>> && std::is_trivially_copyable_v<InputPixel<float>> &&
              std::is_trivially_copyable_v<MaxPool<float>> && std::is_trivially_copyable_v<BatchNorm<float>> &&
              std::is_trivially_copyable_v<Dropout>);

TEST(Activation, KnownValues) {
  EXPECT_EQ(Relu<double>{}.value(-2), 0);
  EXPECT_EQ(Relu<double>{}.value(2), 2);
  EXPECT_EQ(Relu<double>{}.slope(0), 0);
  EXPECT_NEAR(Gelu<double>{}.value(1), 0.841344746068542949, 1e-15);
  EXPECT_NEAR(Gelu<double>{}.value(-10) / -7.619853024160526e-23, 1, 1e-12);  // the left tail keeps its digits
  EXPECT_NEAR(Silu<double>{}.value(1), 0.731058578630004879, 1e-15);
  EXPECT_EQ(Silu<float>{}.value(-1000), 0);
}

TEST(Activation, SlopesAreDerivatives) {
  const auto check = [](auto activation) {
    for (double x = -5.05; x < 5; x += 0.1) {
      const double difference = (activation.value(x + 1e-5) - activation.value(x - 1e-5)) / 2e-5;
      EXPECT_NEAR(activation.slope(x), difference, 1e-9) << x;
    }
  };
  check(Relu<double>{});
  check(Gelu<double>{});
  check(Silu<double>{});
}

TEST(Loss, KnownValues) {
  const double logits[] = {1, 2, 3};
  const double log_total = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  EXPECT_NEAR(log_sum_exp<double>(logits, 3), log_total, 1e-15);
  EXPECT_NEAR((CrossEntropy<double>{3, 0}.loss(logits, 1)), log_total - 2, 1e-15);
  // Half of the target on class 1, a sixth on each.
  EXPECT_NEAR((CrossEntropy<double>{3, 0.5}.loss(logits, 1)), log_total - 0.5 * 2 - 0.5 * 2, 1e-15);
  EXPECT_EQ((CrossEntropy<double>{3, 0.5}.loss(logits, -1)), 0);
  EXPECT_EQ((CrossEntropy<double>{3, 0.5}.gradient(1, log_total, 0, -1, 1)), 0);
}

TEST(Loss, LargeLogitsDoNotOverflow) {
  const float logits[] = {1e30F, -1e30F, 0};
  EXPECT_EQ(log_sum_exp<float>(logits, 3), 1e30F);
  EXPECT_EQ((CrossEntropy<float>{3, 0}.loss(logits, 0)), 0);
}

TEST(Loss, TheFirstOfEqualLogitsIsTheAnswer) {
  const float logits[] = {1, 3, 3, 2};
  EXPECT_EQ(largest(logits, 4), 1);
}

TEST(Optimizer, ClipsOnlyWhatIsLonger) {
  EXPECT_EQ(clip_factor(4.0, 1.0), 0.25);
  EXPECT_EQ(clip_factor(0.5, 1.0), 1);
  EXPECT_EQ(clip_factor(4.0, 0.0), 1);
}

TEST(Optimizer, OneStepOfEach) {
  double w = 2, velocity = 0.5;
  Sgd<double>{0.1, 0.25, 0.5, 2, false}(w, 1, velocity);  // d = 2 + 0.5
  EXPECT_DOUBLE_EQ(velocity, 2.75);
  EXPECT_DOUBLE_EQ(w, 2 - 0.275);
  w = 2, velocity = 0.5;
  Sgd<double>{0.1, 0.25, 0.5, 2, true}(w, 1, velocity);
  EXPECT_DOUBLE_EQ(w, 2 - 0.1 * (2.5 + 0.5 * 2.75));
  // The first step of Adam is the rate, whatever the size of the gradient.
  double first = 0, second = 0;
  w = 2;
  const AdamW<double> adamw{0.1, 0.5, 0.9, 0.99, 0, 1, adam_correction(0.9, 1), adam_correction(0.99, 1)};
  adamw(w, 1e-3, first, second);
  EXPECT_NEAR(w, 2 * 0.95 - 0.1, 1e-12);
  velocity = 1;
  EXPECT_DOUBLE_EQ((MuonDirection<double>{0.5, 1, true}(2, velocity)), 2 + 0.5 * 2.5);
  EXPECT_DOUBLE_EQ(muon_reset(4.0, 16), 1);
  EXPECT_DOUBLE_EQ(muon_reset(0.0, 16), 1);
  w = 2;
  MuonUpdate<double>{0.5, 0.1, 3}(w, 1);
  EXPECT_DOUBLE_EQ(w, 2 * 3 * 0.95 - 0.5);
  EXPECT_DOUBLE_EQ(moving_average(1.0, 2.0, 0.75), 1.25);
}

TEST(Augment, ReflectsWithoutRepeatingTheEdge) {
  const int64_t expected[] = {2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1};
  for (int64_t i = -4; i < 8; ++i) EXPECT_EQ(reflect(i, 4), expected[i + 4]) << i;
  EXPECT_EQ(reflect(-100, 1), 0);
  EXPECT_EQ(reflect(3, 2), 1);
}

TEST(Augment, GathersShiftedFlippedTonedAndCutPixels) {
  const uint8_t image[] = {10, 20, 30, 40, 50, 60};  // 2 rows of 3 pixels
  const InputPixel<float> pixel{2, 3, 1};
  const auto row = [&](const Augment& a, int64_t y) {
    std::vector<float> values;
    for (int64_t x = 0; x < 3; ++x) values.push_back(pixel(image, a, y, x, 0, 10, 2));
    return values;
  };
  Augment a;
  EXPECT_EQ(row(a, 0), (std::vector<float>{0, 5, 10}));
  a.dx = 1;
  EXPECT_EQ(row(a, 0), (std::vector<float>{5, 10, 5}));
  a.dx = 0, a.dy = 1;
  EXPECT_EQ(row(a, 1), (std::vector<float>{0, 5, 10}));
  a.flip = true, a.dx = 1, a.dy = 0;  // mirrored first, then shifted
  EXPECT_EQ(row(a, 0), (std::vector<float>{5, 0, 5}));
  a = {};
  a.contrast = 0.5F, a.brightness = 4;  // 10 -> 69 + 4 = 73
  EXPECT_EQ(row(a, 0)[0], (73 - 10) / 2.0F);
  a = {};
  a.cut_x = 1, a.cut_h = 1, a.cut_w = 5;
  EXPECT_EQ(row(a, 0), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(row(a, 1), (std::vector<float>{15, 20, 25}));
}

// Gathered gradients against the same scattered from the windows, for strides below, at and above the window's size.
TEST(Pool, GatheredGradientsAreTheScatteredOnes) {
  for (const Pool& pool : {Pool{7, 6, 3, 3, 2, 2, 2, 2, 0, 0}, Pool{7, 6, 5, 2, 3, 3, 1, 3, 0, 0},
                           Pool{5, 9, 2, 3, 2, 2, 3, 3, 0, 0}, Pool{4, 4, 3, 3, 3, 2, 2, 2, 1, 1}}) {
    std::vector<double> x, dy, by_max(static_cast<size_t>(pool.height * pool.width)), by_mean(by_max.size());
    for (int64_t i = 0; i < pool.height * pool.width; ++i) x.push_back(static_cast<double>(i * 7 % 5));  // with ties
    for (int64_t i = 0; i < pool.out_height * pool.out_width; ++i) dy.push_back(static_cast<double>(i + 1));
    const MaxPool<double> largest{pool};
    const AvgPool<double> mean{pool};
    for (int64_t o = 0; o < pool.out_height * pool.out_width; ++o) {
      const int64_t oy = o / pool.out_width, ox = o % pool.out_width;
      by_max[static_cast<size_t>(largest.where(x.data(), 1, oy, ox))] += dy[static_cast<size_t>(o)];
      const int64_t count = pool.rows(oy).size() * pool.columns(ox).size();
      for (int64_t y = pool.rows(oy).begin; y < pool.rows(oy).end; ++y) {
        for (int64_t c = pool.columns(ox).begin; c < pool.columns(ox).end; ++c) {
          by_mean[static_cast<size_t>(y * pool.width + c)] += dy[static_cast<size_t>(o)] / static_cast<double>(count);
        }
      }
    }
    for (int64_t i = 0; i < pool.height * pool.width; ++i) {
      const int64_t y = i / pool.width, c = i % pool.width;
      EXPECT_DOUBLE_EQ(largest.gradient(x.data(), dy.data(), 1, y, c), by_max[static_cast<size_t>(i)]);
      EXPECT_NEAR(mean.gradient(dy.data(), 1, y, c), by_mean[static_cast<size_t>(i)], 1e-12);
    }
  }
}

TEST(Pool, TheFirstOfEqualsIsTheLargest) {
  const float x[] = {1, 2, 2, 2};
  EXPECT_EQ((MaxPool<float>{{2, 2, 1, 1, 2, 2, 2, 2, 0, 0}}.where(x, 1, 0, 0)), 1);
}

TEST(BatchNorm, KnownValues) {
  EXPECT_DOUBLE_EQ(inverse_deviation(3.0, 1.0), 0.5);
  EXPECT_DOUBLE_EQ((BatchNorm<double>{2, 0.5, 3, 1}.value(6)), 7);
  EXPECT_DOUBLE_EQ(unbiased(3.0, 4), 4);
  EXPECT_DOUBLE_EQ(unbiased(3.0, 1), 3);
  EXPECT_DOUBLE_EQ(running(1.0, 3.0, 0.75), 1.5);
}

TEST(Dropout, DropsTheShareAndScalesTheRest) {
  const Dropout dropout{1, 2, 3, 0.25F};
  int dropped = 0;
  for (uint64_t i = 0; i < 40000; ++i) {
    const float factor = dropout(i);
    EXPECT_TRUE(factor == 0 || factor == 1 / 0.75F);
    dropped += factor == 0;
  }
  EXPECT_NEAR(dropped, 10000, 400);  // 4.6 standard deviations
}

TEST(Dropout, StepsNodesAndSeedsDiffer) {
  const Dropout dropout{1, 2, 3, 0.5F};
  for (const Dropout& other : {Dropout{2, 2, 3, 0.5F}, Dropout{1, 3, 3, 0.5F}, Dropout{1, 2, 4, 0.5F}}) {
    int same = 0;
    for (uint64_t i = 0; i < 1000; ++i) same += dropout(i) == other(i);
    EXPECT_NEAR(same, 500, 80);
  }
}

TEST(Reduce, GroupsCoverEveryTermOnce) {
  for (const int64_t count : {0, 1, 15, 16, 17, 1000}) {
    int64_t end = 0;
    for (int64_t group = 0; group < kReduceGroups; ++group) {
      EXPECT_EQ(group_range(count, group).begin, end);
      end = group_range(count, group).end;
    }
    EXPECT_EQ(end, count);
    EXPECT_EQ(reduce<int64_t>(count, [](int64_t i) { return i; }), count * (count - 1) / 2);
  }
}

TEST(Sequence, EndsBehindTheLastTokenThatIsNoPadding) {
  const int32_t tokens[] = {3, 0, 5, 0, 0};
  EXPECT_EQ(kernels::text_length(tokens, 5), 3);
  EXPECT_EQ(kernels::text_length(tokens, 2), 1);
  EXPECT_EQ(kernels::text_length(tokens + 3, 2), 0);
  const struct {
    int64_t length, stride, extent, valid;
  } rows[] = {{0, 1, 9, 0}, {7, 1, 9, 7}, {7, 2, 9, 4}, {8, 2, 9, 4}, {9, 1, 7, 7}, {1, 4, 2, 1}, {0, 4, 2, 0}};
  for (const auto& row : rows) EXPECT_EQ(kernels::valid_positions(row.length, row.stride, row.extent), row.valid);
}

TEST(SquaredError, CountsWhatIsKnown) {
  const kernels::SquaredError<double> error;
  EXPECT_EQ(error.loss(5, 3), 4);
  EXPECT_EQ(error.gradient(5, 3, 0.5), 2);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(error.loss(5, unknown), 0);
  EXPECT_EQ(error.gradient(5, unknown, 1), 0);
}

TEST(InputFrame, ShiftsMasksAndAddsNoise) {
  const float frames[] = {1, 2, 3, 4, 5, 6};  // [3,2]
  const kernels::InputFrame<double> frame{3, 2};
  const auto at = [&](const Augment& a, int64_t t, int64_t f) { return frame(frames, a, t, f, 1.0, 2.0); };
  Augment a;
  EXPECT_EQ(at(a, 1, 1), 1.5);
  a.dy = 1;
  EXPECT_EQ(at(a, 0, 0), 1);
  EXPECT_EQ(at(a, 2, 0), 0);  // from behind the end: the mean
  a.dy = -2;
  EXPECT_EQ(at(a, 1, 0), 0);
  EXPECT_EQ(at(a, 2, 1), 0.5);
  a = {};
  a.cut_y = 1;
  a.cut_h = 1;
  a.cut_x = 0;
  a.cut_w = 1;
  EXPECT_EQ(at(a, 1, 1), 0);    // its frame is masked
  EXPECT_EQ(at(a, 2, 0), 0);    // its band is masked
  EXPECT_EQ(at(a, 2, 1), 2.5);  // neither is
  a = {};
  a.noise = 0.5F;
  a.key = 7;
  EXPECT_NE(at(a, 0, 0), 0);
  EXPECT_NE(at(a, 0, 0), at(a, 0, 1) - 0.5);  // another number for each place
  EXPECT_LT(std::abs(at(a, 0, 0)), 0.5 * std::sqrt(3));
}

TEST(Noise, HasMeanZeroAndDeviationOne) {
  double sum = 0, square = 0;
  constexpr int kCount = 40000;
  for (int i = 0; i < kCount; ++i) {
    const double v = kernels::noise_of(kernels::noise_draw(3, static_cast<uint64_t>(i / 4)), i % 4);
    sum += v;
    square += v * v;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(square / kCount, 1, 0.02);
}

}  // namespace
}  // namespace lepton::kernels
