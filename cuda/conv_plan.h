#pragma once
// How a convolution is computed. A row-major [rows, columns] matrix is cuBLAS's column-major [columns, rows], so that
// with x, y N H W C and kernels HWIO:
//   y [filters, pixels] = kernel [filters, K] windows [K, pixels],  K = kernel_h * kernel_w * channels.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "base/hd.h"
#include "cuda/op.h"
#include "cuda/pointwise.h"
#include "cuda/policy.h"
#include "net/graph.h"

namespace lepton::cuda {

struct ConvShape {
  int64_t height, width, channels, out_height, out_width, filters;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation;

  LEPTON_HD int64_t window() const { return kernel_h * kernel_w * channels; }
  LEPTON_HD int64_t in_size() const { return height * width * channels; }
  LEPTON_HD int64_t out_pixels() const { return out_height * out_width; }
  bool pointwise() const {  // each window is the pixel itself
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 && pad_left == 0 &&
           out_height == height && out_width == width;
  }
};

inline ConvShape conv_shape(const Node& node, const Shape& in) {
  const Attributes& a = node.attributes;
  return {in[0],      in[1],      in[2],      node.shape[0], node.shape[1], node.shape[2], a.kernel_h,
          a.kernel_w, a.stride_h, a.stride_w, a.pad_top,     a.pad_left,    a.dilation};
}

// The passes over n samples. `work` holds work_bytes().
template <class P>
class ConvPlan {
 public:
  ConvPlan() = default;
  ConvPlan(const ConvPlan&) = delete;
  ConvPlan& operator=(const ConvPlan&) = delete;
  virtual ~ConvPlan() = default;
  virtual int64_t work_bytes() const = 0;
  virtual void forward(P&, int64_t n, const float* x, const float* kernel, float* y, void* work) = 0;
  virtual void data_gradient(P&, int64_t n, const float* kernel, const float* dy, float* dx, bool add, void* work) = 0;
  virtual void kernel_gradient(P&, int64_t n, const float* x, const float* dy, float* dkernel, void* work) = 0;
  virtual std::string name() const = 0;
};

// windows [n * out_pixels, K], one element each; 0 where a window leaves the map.
struct Im2col {
  ConvShape s;
  const float* x;
  float* windows;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t pixel = i / s.window(), k = i % s.window();
    const int64_t sample = pixel / s.out_pixels(), oy = pixel / s.out_width % s.out_height, ox = pixel % s.out_width;
    const int64_t c = k % s.channels, kx = k / s.channels % s.kernel_w, ky = k / s.channels / s.kernel_w;
    const int64_t iy = oy * s.stride_h + ky * s.dilation - s.pad_top;
    const int64_t ix = ox * s.stride_w + kx * s.dilation - s.pad_left;
    const bool inside = iy >= 0 && iy < s.height && ix >= 0 && ix < s.width;
    windows[i] = inside ? x[((sample * s.height + iy) * s.width + ix) * s.channels + c] : 0.0F;
  }
};

// dx [n, in_size], one element each: gathers from the gradients of the windows that hold it.
struct Col2im {
  ConvShape s;
  const float* windows;
  float* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t c = i % s.channels, x = i / s.channels % s.width, y = i / s.channels / s.width % s.height;
    const int64_t sample = i / s.in_size();
    float total = 0;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t from_y = y + s.pad_top - ky * s.dilation, oy = from_y / s.stride_h;
      if (from_y < 0 || from_y % s.stride_h != 0 || oy >= s.out_height) continue;
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t from_x = x + s.pad_left - kx * s.dilation, ox = from_x / s.stride_w;
        if (from_x < 0 || from_x % s.stride_w != 0 || ox >= s.out_width) continue;
        const int64_t pixel = (sample * s.out_height + oy) * s.out_width + ox;
        total += windows[pixel * s.window() + (ky * s.kernel_w + kx) * s.channels + c];
      }
    }
    put(dx[i], add, total);
  }
};

// Any convolution: windows laid out in memory, `chunk` samples at a time, and one GEMM. A 1x1 one needs no windows.
template <class P>
class Im2colPlan : public ConvPlan<P> {
 public:
  Im2colPlan(const ConvShape& shape, int64_t chunk) : s_(shape), chunk_(chunk) {}
  int64_t work_bytes() const override {
    return s_.pointwise() ? 0 : chunk_ * s_.out_pixels() * s_.window() * static_cast<int64_t>(sizeof(float));
  }

  void forward(P& policy, int64_t n, const float* x, const float* kernel, float* y, void* work) override {
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t pixels = std::min(step(n), n - at) * s_.out_pixels();
      Gemm g;  // y [filters, pixels] = kernel [filters, K] windows [K, pixels]
      g.m = s_.filters, g.n = pixels, g.k = s_.window();
      g.a = kernel, g.lda = g.m;
      g.b = windows(policy, x + at * s_.in_size(), pixels, work), g.ldb = g.k;
      g.c = y + at * s_.out_pixels() * s_.filters, g.ldc = g.m;
      policy.gemm(g);
    }
  }

  void data_gradient(P& policy, int64_t n, const float* kernel, const float* dy, float* dx, bool add,
                     void* work) override {
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t samples = std::min(step(n), n - at);
      float* to = dx + at * s_.in_size();
      Gemm g;  // dwindows [K, pixels] = kernel^T [K, filters] dy [filters, pixels]
      g.transpose_a = true;
      g.m = s_.window(), g.n = samples * s_.out_pixels(), g.k = s_.filters;
      g.a = kernel, g.lda = g.k;
      g.b = dy + at * s_.out_pixels() * s_.filters, g.ldb = g.k;
      g.c = s_.pointwise() ? to : static_cast<float*>(work), g.ldc = g.m;
      g.beta = s_.pointwise() && add ? 1.0F : 0.0F;
      policy.gemm(g);
      if (!s_.pointwise()) policy.launch(samples * s_.in_size(), Col2im{s_, g.c, to, add});
    }
  }

  void kernel_gradient(P& policy, int64_t n, const float* x, const float* dy, float* dkernel, void* work) override {
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t pixels = std::min(step(n), n - at) * s_.out_pixels();
      Gemm g;  // dkernel [filters, K] = dy [filters, pixels] windows^T [pixels, K], summed over the chunks
      g.transpose_b = true;
      g.m = s_.filters, g.n = s_.window(), g.k = pixels;
      g.a = dy + at * s_.out_pixels() * s_.filters, g.lda = g.m;
      g.b = windows(policy, x + at * s_.in_size(), pixels, work), g.ldb = g.n;
      g.c = dkernel, g.ldc = g.m;
      g.beta = at > 0 ? 1.0F : 0.0F;
      policy.gemm(g);
    }
  }

  std::string name() const override { return s_.pointwise() ? "GEMM" : "im2col and GEMM"; }

 private:
  int64_t step(int64_t n) const { return s_.pointwise() ? n : chunk_; }
  const float* windows(P& policy, const float* x, int64_t pixels, void* work) const {
    if (s_.pointwise()) return x;
    auto* windows = static_cast<float*>(work);
    policy.launch(pixels * s_.window(), Im2col{s_, x, windows});
    return windows;
  }

  ConvShape s_;
  int64_t chunk_;
};

// One place decides, by rule.
template <class P>
std::unique_ptr<ConvPlan<P>> choose_conv_plan(const ConvShape& s, int64_t batch) {
  constexpr int64_t kMostWorkBytes = int64_t{512} << 20;
  const int64_t sample = s.out_pixels() * s.window() * static_cast<int64_t>(sizeof(float));
  return std::make_unique<Im2colPlan<P>>(s, std::clamp<int64_t>(kMostWorkBytes / sample, 1, batch));
}

}  // namespace lepton::cuda
