#pragma once
// Depthwise convolution: each channel by itself, with a kernel [kh, kw, 1, C] in fp32. No product of matrices: a value
// takes as few operations as its window has places, and reading and writing maps is what its time goes into.
#include <cstdint>

#include "base/hd.h"
#include "cuda/conv_plan.h"
#include "cuda/divisor.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/pool.h"
#include "cuda/sums.h"
#include "net/graph.h"

namespace lepton::cuda {

// y [n, out_height, out_width, channels]; bias: [channels] or nullptr.
template <class T>
struct DepthwiseForward {
  ConvShape s;
  Places places;  // of y
  const T* x;
  const float *kernel, *bias;
  T* y;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const T* plane = x + at.sample * s.in_size() + at.channel;
    float total = bias == nullptr ? 0 : bias[at.channel];
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t iy = at.y * s.stride_h + ky * s.dilation - s.pad_top;
      if (iy < 0 || iy >= s.height) continue;
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t ix = at.x * s.stride_w + kx * s.dilation - s.pad_left;
        if (ix < 0 || ix >= s.width) continue;
        total += static_cast<float>(plane[(iy * s.width + ix) * s.channels]) *
                 kernel[(ky * s.kernel_w + kx) * s.channels + at.channel];
      }
    }
    y[i] = T(total);
  }
};

// dx [n, height, width, channels], each from the windows that hold it.
template <class T>
struct DepthwiseBack {
  ConvShape s;
  Places places;  // of x
  const float* kernel;
  const T* dy;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const T* plane = dy + at.sample * s.out_pixels() * s.channels + at.channel;
    const float* filter = kernel + at.channel;
    float total = 0;
    over_windows(s, at.y, at.x, [&](int64_t out, int64_t tap) {
      total += static_cast<float>(plane[out * s.channels]) * filter[tap * s.channels];
    });
    put(dx[i], add, total);
  }
};

// Term of column_sums over output pixels of the batch: what one adds to each value of the kernel.
template <class T>
struct DepthwiseProduct {
  ConvShape s;
  Divisor map, row, channels, columns;  // by out_pixels, out_width, channels, kernel_w
  const T *x, *dy;

  LEPTON_HD double operator()(int64_t pixel, int64_t k) const {
    const auto [sample, place] = map(pixel);
    const auto [oy, ox] = row(place);
    const auto [tap, c] = channels(k);
    const auto [ky, kx] = columns(tap);
    const int64_t iy = oy * s.stride_h + ky * s.dilation - s.pad_top;
    const int64_t ix = ox * s.stride_w + kx * s.dilation - s.pad_left;
    if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) return 0;
    const auto value = static_cast<float>(x[((sample * s.height + iy) * s.width + ix) * s.channels + c]);
    return static_cast<double>(value) * static_cast<double>(static_cast<float>(dy[pixel * s.channels + c]));
  }
};

template <class P, class T>
class DepthwiseOp : public Op<P, T> {
 public:
  DepthwiseOp(const ConvShape& shape, NodeId id, const Parameters<P>& parameters, int64_t batch)
      : s_(shape),
        room_(sums_room(batch * shape.out_pixels(), shape.window())),
        kernel_(parameters.find(id, Role::kernel)),
        bias_(parameters.find(id, Role::bias)) {}

  // Sums of the kernel's gradient; the bias has fewer.
  int64_t work_bytes() const override { return room_ * static_cast<int64_t>(sizeof(double)); }

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * s_.out_pixels() * s_.channels,
                  DepthwiseForward<T>{s_, Places(s_.out_height, s_.out_width, s_.channels), b.x[0], kernel_.value,
                                      bias_.value, b.y});
  }

  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    const int64_t rows = pass.n * s_.out_pixels();
    if (kernel_.gradient != nullptr) {
      const DepthwiseProduct<T> term{
          s_,  Divisor(s_.out_pixels()), Divisor(s_.out_width), Divisor(s_.channels), Divisor(s_.kernel_w), b.x[0],
          b.dy};
      const double* sums = column_sums(policy, rows, s_.window(), term, static_cast<double*>(b.work));
      policy.launch(s_.window(), Narrow{sums, kernel_.gradient});
    }
    if (bias_.gradient != nullptr) bias_gradient<P, T>(policy, rows, s_.channels, b.dy, bias_.gradient, b.work);
    if (b.dx[0] == nullptr) return;
    policy.launch(pass.n * s_.in_size(), DepthwiseBack<T>{s_, Places(s_.height, s_.width, s_.channels), kernel_.value,
                                                          b.dy, b.dx[0], b.add[0]});
  }

  std::string describe() const override { return "each channel by itself"; }

 private:
  ConvShape s_;
  int64_t room_;  // doubles of column_sums
  Parameters<P>::Place kernel_, bias_;
};

}  // namespace lepton::cuda
