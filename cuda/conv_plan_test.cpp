// Each plan against plain loops over windows, in chunks and whole.
#include "cuda/conv_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
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

class OnDevice {
 public:
  OnDevice(HostPolicy& policy, const Floats& values)
      : policy_(policy), memory_(memory_of<float>(policy, static_cast<int64_t>(values.size()))) {
    policy.upload(data(), values.data(), memory_.bytes());
  }
  float* data() const { return memory_.as<float>(); }
  Floats fetched() const {
    Floats host(static_cast<size_t>(memory_.bytes()) / 4);
    policy_.download(host.data(), data(), memory_.bytes());
    return host;
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

void expect_close(const Floats& values, const std::vector<double>& expected, const char* what) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], 1e-5) << what << " " << i;
}

void check_plan(ConvPlan<HostPolicy, float>& plan, HostPolicy& policy, const ConvShape& s, int64_t n) {
  const Floats x = random_floats(n * s.in_size(), 1), w = random_floats(s.window() * s.filters, 2);
  const Floats dy = random_floats(n * s.out_pixels() * s.filters, 3), before = random_floats(n * s.in_size(), 4);
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
  for (size_t i = 0; i < dx.size(); ++i) dx[i] = static_cast<double>(before[i]);
  over_products(s, n, [&](size_t i, size_t k, size_t o) {
    y[o] += static_cast<double>(x[i]) * static_cast<double>(w[k]);
    dx[i] += static_cast<double>(dy[o]) * static_cast<double>(w[k]);
    dw[k] += static_cast<double>(dy[o]) * static_cast<double>(x[i]);
  });
  const OnDevice dev_x(policy, x), dev_w(policy, w), dev_dy(policy, dy), dev_dx(policy, before);
  const Floats b = random_floats(s.filters, 5);
  std::vector<double> db(b.size());
  for (size_t i = 0; i < dy.size(); ++i) db[i % b.size()] += static_cast<double>(dy[i]);
  const OnDevice dev_b(policy, b), dev_db(policy, Floats(b.size(), NAN));
  const OnDevice dev_y(policy, Floats(dy.size(), NAN)), dev_dw(policy, Floats(w.size(), NAN));
  const Memory<HostPolicy> work(policy, plan.work_bytes());
  plan.forward(policy, n, dev_x.data(), dev_w.data(), nullptr, false, dev_y.data(), work.as<void>());
  plan.data_gradient(policy, n, dev_w.data(), dev_dy.data(), dev_dx.data(), true, work.as<void>());
  const bool sums =
      plan.kernel_gradient(policy, n, dev_x.data(), dev_dy.data(), dev_dw.data(), dev_db.data(), work.as<void>());
  expect_close(dev_y.fetched(), y, "y");
  expect_close(dev_dx.fetched(), dx, "dx");
  expect_close(dev_dw.fetched(), dw, "dkernel");
  if (sums) expect_close(dev_db.fetched(), db, "dbias");
  EXPECT_TRUE(sums || n > 1);
  for (const bool relu : {false, true}) {
    plan.forward(policy, n, dev_x.data(), dev_w.data(), dev_b.data(), relu, dev_y.data(), work.as<void>());
    std::vector<double> biased = y;
    for (size_t i = 0; i < y.size(); ++i) {
      biased[i] += static_cast<double>(b[i % b.size()]);
      if (relu) biased[i] = std::max(biased[i], 0.0);
    }
    expect_close(dev_y.fetched(), biased, "y with bias");
  }
}

TEST(Im2colPlan, DoesAsPlainLoopsInChunksOfAnySize) {
  const ConvShape shapes[] = {
      {5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1, 1, 1},  // 3x3, same
      {9, 8, 2, 4, 4, 5, 3, 2, 2, 2, 0, 0, 1},  // strided, valid; a row is left out
      {8, 9, 3, 8, 9, 2, 3, 3, 1, 1, 2, 2, 2},  // dilated
      {6, 5, 1, 2, 5, 3, 1, 1, 3, 1, 0, 0, 1},  // strided 1x1
      {3, 4, 5, 3, 4, 7, 1, 1, 1, 1, 0, 0, 1},  // pointwise
  };
  for (const ConvShape& shape : shapes) {
    for (const int64_t chunk : {1, 2, 3, 5}) {
      HostPolicy policy;
      Im2colPlan<HostPolicy, float> plan(shape, chunk, false);
      check_plan(plan, policy, shape, 5);
    }
  }
}

}  // namespace
}  // namespace lepton::cuda
