#pragma once
// A plan of a convolution beside plain loops over windows in double, on any policy.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "cuda/conv_plan.h"
#include "cuda/memory.h"

namespace lepton::cuda {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

// In [-1, 1), as T holds them.
template <class T>
Floats random_floats(int64_t count, uint64_t seed) {
  Floats values;
  for (int64_t i = 0; i < count; ++i) {
    const float v = 2 * uniform(random4(seed, Stream::sample, 0, static_cast<uint64_t>(i)).v[0]) - 1;
    values.push_back(rounded_to<T>(v));
  }
  return values;
}

// As T on the device.
template <class P, class T>
class OnDevice {
 public:
  OnDevice(P& policy, const Floats& values)
      : policy_(policy), memory_(memory_of<T>(policy, static_cast<int64_t>(values.size()))) {
    std::vector<T> stored;
    for (const float v : values) stored.push_back(T(v));
    policy.upload(data(), stored.data(), memory_.bytes());
  }
  T* data() const { return memory_.template as<T>(); }
  Floats fetched() const {
    std::vector<T> host(static_cast<size_t>(memory_.bytes()) / sizeof(T));
    policy_.download(host.data(), data(), memory_.bytes());
    return {host.begin(), host.end()};
  }

 private:
  P& policy_;
  Memory<P> memory_;
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

// Largest deviation, relative where what is expected is above 1; infinite where a value is no number.
inline double deviation(const Floats& values, const Doubles& expected) {
  double most = values.size() == expected.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(values.size(), expected.size()); ++i) {
    const double off = std::abs(static_cast<double>(values[i]) - expected[i]) / std::max(1.0, std::abs(expected[i]));
    most = std::isfinite(off) ? std::max(most, off) : INFINITY;
  }
  return most;
}

// Of all passes over n samples, with bias and relu, and of a data gradient that is added.
template <class P, class T>
double plan_deviation(ConvPlan<P, T>& plan, P& policy, const ConvShape& s, int64_t n) {
  const Floats x = random_floats<T>(n * s.in_size(), 1), w = random_floats<T>(s.window() * s.filters, 2);
  const Floats dy = random_floats<T>(n * s.out_pixels() * s.filters, 3), b = random_floats<T>(s.filters, 5);
  const Floats before = random_floats<T>(n * s.in_size(), 4);
  Doubles y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());
  over_products(s, n, [&](size_t i, size_t k, size_t o) {
    y[o] += static_cast<double>(x[i]) * static_cast<double>(w[k]);
    dx[i] += static_cast<double>(dy[o]) * static_cast<double>(w[k]);
    dw[k] += static_cast<double>(dy[o]) * static_cast<double>(x[i]);
  });
  for (size_t i = 0; i < dy.size(); ++i) db[i % b.size()] += static_cast<double>(dy[i]);
  using Values = OnDevice<P, T>;
  const Values dev_x(policy, x), dev_w(policy, w), dev_dy(policy, dy), dev_b(policy, b);
  const Values dev_y(policy, Floats(dy.size(), NAN)), dev_dx(policy, Floats(x.size(), NAN)), dev_sum(policy, before);
  const OnDevice<P, float> dev_db(policy, Floats(b.size(), NAN)), dev_dw(policy, Floats(w.size(), NAN));
  const Memory<P> work(policy, plan.work_bytes());
  void* room = work.template as<void>();
  plan.forward(policy, n, dev_x.data(), dev_w.data(), nullptr, false, dev_y.data(), room);
  double most = deviation(dev_y.fetched(), y);
  plan.data_gradient(policy, n, dev_w.data(), dev_dy.data(), dev_dx.data(), false, room);
  most = std::max(most, deviation(dev_dx.fetched(), dx));
  plan.data_gradient(policy, n, dev_w.data(), dev_dy.data(), dev_sum.data(), true, room);
  for (size_t i = 0; i < dx.size(); ++i) dx[i] += static_cast<double>(before[i]);
  most = std::max(most, deviation(dev_sum.fetched(), dx));
  const bool sums = plan.kernel_gradient(policy, n, dev_x.data(), dev_dy.data(), dev_dw.data(), dev_db.data(), room);
  most = std::max({most, deviation(dev_dw.fetched(), dw), sums ? deviation(dev_db.fetched(), db) : 0});
  for (const bool relu : {false, true}) {
    plan.forward(policy, n, dev_x.data(), dev_w.data(), dev_b.data(), relu, dev_y.data(), room);
    Doubles biased = y;
    for (size_t i = 0; i < y.size(); ++i) {
      biased[i] += static_cast<double>(b[i % b.size()]);
      if (relu) biased[i] = std::max(biased[i], 0.0);
    }
    most = std::max(most, deviation(dev_y.fetched(), biased));
  }
  return most;
}

// What rounding to T, and products in TF32, may come to.
template <class T>
double most_deviation(bool tf32) {
  return kTypeOf<T> == Type::bf16 ? 3e-2 : kTypeOf<T> == Type::fp16 ? 4e-3 : tf32 ? 1e-2 : 1e-5;
}

}  // namespace lepton::cuda
