// Each plan against plain loops over windows, in chunks and whole, in every precision.
#include "cuda/conv_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "cuda/conv_choice.h"
#include "cuda/conv_tripled.h"
#include "cuda/host_policy.h"
#include "cuda/memory.h"

namespace lepton::cuda {
namespace {

using Floats = std::vector<float>;

Floats random_floats(int64_t count, uint64_t seed) {
  Floats values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(2 * uniform(random4(seed, Stream::sample, 0, static_cast<uint64_t>(i)).v[0]) - 1);
  }
  return values;
}

// As T on the device.
template <class T>
class OnDevice {
 public:
  OnDevice(HostPolicy& policy, const Floats& values)
      : policy_(policy), memory_(memory_of<T>(policy, static_cast<int64_t>(values.size()))) {
    const std::vector<T> stored(values.begin(), values.end());
    policy.upload(data(), stored.data(), memory_.bytes());
  }
  T* data() const { return memory_.template as<T>(); }
  Floats fetched() const {
    std::vector<T> host(static_cast<size_t>(memory_.bytes()) / sizeof(T));
    policy_.download(host.data(), data(), memory_.bytes());
    return {host.begin(), host.end()};
  }

 private:
  HostPolicy& policy_;
  Memory<HostPolicy> memory_;
};

// f(x index, kernel index, y index) for every product of the convolution.
template <class F>
void over_products(const ConvShape& s, int64_t n, F f) {
  for (int64_t y = 0; y < n * s.out_pixels() * s.filters; ++y) {
    const int64_t pixel = y / s.filters, sample = pixel / s.out_pixels();
    const int64_t oy = pixel / s.out_width % s.out_height, ox = pixel % s.out_width;
    for (int64_t k = 0; k < s.window(); ++k) {
      const int64_t c = k % s.channels, kx = k / s.channels % s.kernel_w, ky = k / s.channels / s.kernel_w;
      const int64_t iy = oy * s.stride_h + ky * s.dilation - s.pad_top;
      const int64_t ix = ox * s.stride_w + kx * s.dilation - s.pad_left;
      if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
      f(((sample * s.height + iy) * s.width + ix) * s.channels + c, k * s.filters + y % s.filters, y);
    }
  }
}

void expect_close(const Floats& values, const std::vector<double>& expected, double tolerance, const char* what) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double near = tolerance * std::max(1.0, std::abs(expected[i]));
    ASSERT_NEAR(values[i], expected[i], near) << what << " " << i;
  }
}

// Values that T holds exactly.
template <class T>
Floats stored_floats(int64_t count, uint64_t seed) {
  Floats values = random_floats(count, seed);
  for (float& v : values) v = rounded_to<T>(v);
  return values;
}

template <class T>
void check_plan(ConvPlan<HostPolicy, T>& plan, HostPolicy& policy, const ConvShape& s, int64_t n, double tolerance) {
  const Floats x = stored_floats<T>(n * s.in_size(), 1), w = stored_floats<T>(s.window() * s.filters, 2);
  const Floats dy = stored_floats<T>(n * s.out_pixels() * s.filters, 3), before = stored_floats<T>(n * s.in_size(), 4);
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
  over_products(s, n, [&](size_t i, size_t k, size_t o) {
    y[o] += static_cast<double>(x[i]) * static_cast<double>(w[k]);
    dx[i] += static_cast<double>(dy[o]) * static_cast<double>(w[k]);
    dw[k] += static_cast<double>(dy[o]) * static_cast<double>(x[i]);
  });
  const OnDevice<T> dev_x(policy, x), dev_w(policy, w), dev_dy(policy, dy), dev_dx(policy, before);
  const Floats b = stored_floats<T>(s.filters, 5);
  std::vector<double> db(b.size());
  for (size_t i = 0; i < dy.size(); ++i) db[i % b.size()] += static_cast<double>(dy[i]);
  const OnDevice<T> dev_b(policy, b), dev_y(policy, Floats(dy.size(), NAN));
  const OnDevice<float> dev_db(policy, Floats(b.size(), NAN)), dev_dw(policy, Floats(w.size(), NAN));
  const Memory<HostPolicy> work(policy, plan.work_bytes());
  plan.forward(policy, n, dev_x.data(), dev_w.data(), nullptr, false, dev_y.data(), work.as<void>());
  plan.data_gradient(policy, n, dev_w.data(), dev_dy.data(), dev_dx.data(), false, work.as<void>());
  const bool sums =
      plan.kernel_gradient(policy, n, dev_x.data(), dev_dy.data(), dev_dw.data(), dev_db.data(), work.as<void>());
  expect_close(dev_y.fetched(), y, tolerance, "y");
  expect_close(dev_dx.fetched(), dx, tolerance, "dx");
  expect_close(dev_dw.fetched(), dw, tolerance, "dkernel");
  if (sums) expect_close(dev_db.fetched(), db, tolerance, "dbias");
  const OnDevice<T> dev_sum(policy, before);
  plan.data_gradient(policy, n, dev_w.data(), dev_dy.data(), dev_sum.data(), true, work.as<void>());
  for (size_t i = 0; i < dx.size(); ++i) dx[i] += static_cast<double>(before[i]);
  expect_close(dev_sum.fetched(), dx, tolerance, "dx added");
  for (const bool relu : {false, true}) {
    plan.forward(policy, n, dev_x.data(), dev_w.data(), dev_b.data(), relu, dev_y.data(), work.as<void>());
    std::vector<double> biased = y;
    for (size_t i = 0; i < y.size(); ++i) {
      biased[i] += static_cast<double>(b[i % b.size()]);
      if (relu) biased[i] = std::max(biased[i], 0.0);
    }
    expect_close(dev_y.fetched(), biased, tolerance, "y with bias");
  }
}

// make<T>(shape, chunk, tf32) for each precision, over 5 samples.
template <class Make>
void check_in_every_precision(const ConvShape& shape, int64_t chunk, Make make) {
  constexpr int64_t kSamples = 5;
  const auto check = [&]<class T>(T, bool tf32, double tolerance) {
    SCOPED_TRACE(fmt::format("{}x{}x{} to {}x{}x{}, chunks of {}, type {}, tf32 {}", shape.height, shape.width,
                             shape.channels, shape.out_height, shape.out_width, shape.filters, chunk,
                             static_cast<int>(kTypeOf<T>), tf32));
    HostPolicy policy;
    const auto plan = make.template operator()<T>(shape, chunk, tf32);
    check_plan<T>(*plan, policy, shape, kSamples, tolerance);
  };
  check(0.0F, false, 1e-5);
  check(0.0F, true, 1e-2);
  check(Bf16(0.0F), false, 3e-2);
  check(Half(0.0F), false, 4e-3);
}

TEST(Im2colPlan, DoesAsPlainLoopsInChunksOfAnySize) {
  const ConvShape shapes[] = {
      {5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1},  // 3x3, same
      {9, 8, 2, 4, 4, 5, 3, 2, 2, 2, 0, 0, 1},  // strided, valid; a row is left out
      {8, 9, 3, 8, 9, 2, 3, 3, 1, 1, 2, 2, 2},  // dilated
      {6, 5, 1, 2, 5, 3, 1, 1, 3, 1, 0, 0, 1},  // strided 1x1
      {3, 4, 5, 3, 4, 7, 1, 1, 1, 1, 0, 0, 1},  // pointwise
      {4, 3, 8, 2, 2, 3, 3, 3, 2, 2, 1, 1, 1},  // 8 channels are copied at once
  };
  for (const ConvShape& shape : shapes) {
    for (const int64_t chunk : {1, 2, 3, 5}) {
      check_in_every_precision(shape, chunk, []<class T>(const ConvShape& s, int64_t samples, bool tf32) {
        return std::make_unique<Im2colPlan<HostPolicy, T>>(s, samples, tf32);
      });
    }
  }
}

// Bias gradients come with the kernel's where all samples are one chunk.
TEST(Im2colPlan, GivesTheBiasGradientUnlessInChunks) {
  const ConvShape s{3, 3, 2, 3, 3, 4, 3, 3, 1, 1, 1, 1, 1};
  HostPolicy policy;
  const OnDevice<float> x(policy, random_floats(2 * s.in_size(), 1)), dy(policy, random_floats(2 * 9 * 4, 2));
  const OnDevice<float> dw(policy, Floats(18 * 4)), db(policy, Floats(4));
  for (const int64_t chunk : {1, 2}) {
    Im2colPlan<HostPolicy, float> plan(s, chunk, false);
    const Memory<HostPolicy> work(policy, plan.work_bytes());
    EXPECT_EQ(plan.kernel_gradient(policy, 2, x.data(), dy.data(), dw.data(), db.data(), work.as<void>()), chunk == 2);
  }
}

TEST(TripledPlan, DoesAsPlainLoopsInChunksOfAnySize) {
  const ConvShape shapes[] = {
      {5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1},    // same
      {7, 5, 4, 6, 4, 5, 3, 3, 1, 1, 1, 1, 1},    // without the last row and column
      {7, 7, 2, 4, 7, 3, 3, 3, 1, 1, 1, 1, 1},    // without some rows
      {6, 6, 1, 6, 3, 2, 3, 3, 1, 1, 1, 1, 1},    // without some columns
      {1, 1, 3, 1, 1, 2, 3, 3, 1, 1, 1, 1, 1},    // nothing but edges
      {1, 4, 2, 1, 4, 1, 3, 3, 1, 1, 1, 1, 1},    // one row
      {4, 1, 2, 4, 1, 3, 3, 3, 1, 1, 1, 1, 1},    // one column
      {4, 3, 8, 4, 3, 16, 3, 3, 1, 1, 1, 1, 1},   // 8 channels are copied at once
      {3, 5, 12, 2, 5, 20, 3, 3, 1, 1, 1, 1, 1},  // 4 are in fp32
  };
  for (const ConvShape& shape : shapes) {
    ASSERT_TRUE(tripled_fits(shape));
    for (const int64_t chunk : {1, 2, 5}) {
      check_in_every_precision(shape, chunk, []<class T>(const ConvShape& s, int64_t samples, bool tf32) {
        return std::make_unique<TripledPlan<HostPolicy, T>>(s, samples, tf32);
      });
    }
  }
}

TEST(TripledPlan, FitsThreeByThreeWithStrideOneAndPaddingOneOnly) {
  const ConvShape fits{5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1};
  for (int64_t ConvShape::* const number :
       {&ConvShape::kernel_h, &ConvShape::kernel_w, &ConvShape::stride_h, &ConvShape::stride_w, &ConvShape::pad_top,
        &ConvShape::pad_left, &ConvShape::dilation, &ConvShape::out_height, &ConvShape::out_width}) {
    ConvShape s = fits;
    s.*number += 1;
    EXPECT_FALSE(tripled_fits(s));
  }
}

// Layers of resnet9 and speed94 at their batches, in bf16; and what no tripled rows are for.
TEST(ChooseConv, IsByModelAlone) {
  const ConvShape wide{16, 16, 128, 16, 16, 128, 3, 3, 1, 1, 1, 1, 1};
  ConvShape odd = wide, strided = wide;
  odd.channels = 12;
  strided.stride_h = strided.stride_w = 2, strided.out_height = strided.out_width = 8;
  for (const ConvPass pass : {ConvPass::forward, ConvPass::data_gradient, ConvPass::kernel_gradient}) {
    const ConvChoice choice = choose_conv(wide, pass, 1024, Type::bf16, false);
    EXPECT_GT(choice.other_seconds, choice.seconds);
    EXPECT_FALSE(choose_conv(odd, pass, 1024, Type::bf16, false).tripled);
    EXPECT_FALSE(choose_conv(strided, pass, 1024, Type::bf16, false).tripled);
    EXPECT_FALSE(choose_conv(wide, pass, 1, Type::bf16, false).tripled);  // launches are all that counts
  }
  EXPECT_TRUE(choose_conv(wide, ConvPass::forward, 1024, Type::bf16, false).tripled);
  const auto plan = choose_conv_plan<HostPolicy, Bf16>(wide, 1024, false);
  EXPECT_NE(plan->name().find("forward: tripled rows in "), std::string::npos) << plan->name();
  EXPECT_NE(plan->name().find(", im2col "), std::string::npos) << plan->name();
}

TEST(ChosenPlan, ComputesEachPassWithItsOwnPlan) {
  const ConvShape mixed{4, 4, 64, 4, 4, 16, 3, 3, 1, 1, 1, 1, 1};
  constexpr int64_t kBatch = 1024;
  EXPECT_FALSE(choose_conv(mixed, ConvPass::forward, kBatch, Type::bf16, false).tripled);
  EXPECT_TRUE(choose_conv(mixed, ConvPass::data_gradient, kBatch, Type::bf16, false).tripled);
  HostPolicy policy;
  ChosenPlan<HostPolicy, Bf16> plan(mixed, kBatch, false);
  check_plan<Bf16>(plan, policy, mixed, 3, 3e-2);
}

}  // namespace
}  // namespace lepton::cuda
