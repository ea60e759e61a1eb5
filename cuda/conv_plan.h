#pragma once
// How a convolution is computed. A row-major [rows, columns] matrix is cuBLAS's column-major [columns, rows], so that
// with x, y N H W C and kernels HWIO:
//   y [filters, pixels] = kernel [filters, K] windows [K, pixels],  K = kernel_h * kernel_w * channels.
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/hd.h"
#include "cuda/divisor.h"
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
template <class P, class T>
class ConvPlan {
 public:
  ConvPlan() = default;
  ConvPlan(const ConvPlan&) = delete;
  ConvPlan& operator=(const ConvPlan&) = delete;
  virtual ~ConvPlan() = default;
  virtual int64_t work_bytes() const = 0;
  // bias: [filters] or nullptr; relu: of what has a bias.
  virtual void forward(P&, int64_t n, const T* x, const T* kernel, const T* bias, bool relu, T* y, void* work) = 0;
  virtual void data_gradient(P&, int64_t n, const T* kernel, const T* dy, T* dx, bool add, void* work) = 0;
  // Sets dbias [filters] too, if it is not nullptr and the plan can; returns whether it did.
  virtual bool kernel_gradient(P&, int64_t n, const T* x, const T* dy, float* dkernel, float* dbias, void* work) = 0;
  virtual std::string name() const = 0;  // and why, for -v
};

// Tensor cores want rows of 16 bits to be multiples of 16 bytes apart.
LEPTON_HD int64_t window_pitch(const ConvShape& s) { return (s.window() + 7) / 8 * 8; }

// 16 bytes of neighbouring channels, for what only copies.
struct alignas(16) Sixteen {
  uint64_t low, high;
};

// f.operator()<U>(count): U holds `count` values of T at once, and every number given divides by `count`.
template <class T, class F>
void by_units(std::initializer_list<int64_t> numbers, F f) {
  constexpr int64_t kCount = 16 / static_cast<int64_t>(sizeof(T));
  if (std::all_of(numbers.begin(), numbers.end(), [](int64_t number) { return number % kCount == 0; })) {
    f.template operator()<Sixteen>(kCount);
  } else {
    f.template operator()<T>(int64_t{1});
  }
}

// windows [n * out_pixels, pitch], one unit each; 0 where a window leaves the map, and behind it. All in units.
template <class U>
struct Im2col {
  ConvShape s;
  Divisor pitch, row, map, channels, columns;  // by the pitch, out_width, out_pixels, channels, kernel_w
  const U* x;
  U* windows;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [pixel, k] = pitch(i);
    const auto [sample, place] = map(pixel);
    const auto [oy, ox] = row(place);
    const auto [tap, c] = channels(k);
    const auto [ky, kx] = columns(tap);
    const int64_t iy = oy * s.stride_h + ky * s.dilation - s.pad_top;
    const int64_t ix = ox * s.stride_w + kx * s.dilation - s.pad_left;
    const bool inside = iy >= 0 && iy < s.height && ix >= 0 && ix < s.width && k < s.window();
    windows[i] = inside ? x[((sample * s.height + iy) * s.width + ix) * s.channels + c] : U{};
  }
};

// Calls f(output pixel of the sample, place in the window) for each window that holds input pixel (y, x).
template <class F>
LEPTON_HD void over_windows(const ConvShape& s, int64_t y, int64_t x, F f) {
  for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
    const int64_t from_y = y + s.pad_top - ky * s.dilation, oy = from_y / s.stride_h;
    if (from_y < 0 || from_y % s.stride_h != 0 || oy >= s.out_height) continue;
    for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
      const int64_t from_x = x + s.pad_left - kx * s.dilation, ox = from_x / s.stride_w;
      if (from_x < 0 || from_x % s.stride_w != 0 || ox >= s.out_width) continue;
      f(oy * s.out_width + ox, ky * s.kernel_w + kx);
    }
  }
}

// dx [n, in_size], one element each: gathers from the gradients of the windows that hold it.
template <class T>
struct Col2im {
  ConvShape s;
  Divisor channels, row, lines;  // by channels, width, height
  const T* windows;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [pixel, c] = channels(i);
    const auto [line, x] = row(pixel);
    const auto [sample, y] = lines(line);
    const T* from = windows + sample * s.out_pixels() * window_pitch(s) + c;
    float total = 0;
    over_windows(s, y, x, [&](int64_t out, int64_t tap) { total += from[out * window_pitch(s) + tap * s.channels]; });
    put(dx[i], add, total);
  }
};

// Any convolution: windows laid out in memory, `chunk` samples at a time, and one GEMM. A 1x1 one needs no windows.
template <class P, class T>
class Im2colPlan : public ConvPlan<P, T> {
 public:
  Im2colPlan(const ConvShape& shape, int64_t chunk, bool tf32) : s_(shape), chunk_(chunk), tf32_(tf32) {}
  int64_t work_bytes() const override {
    return s_.pointwise() ? 0 : chunk_ * s_.out_pixels() * window_pitch(s_) * static_cast<int64_t>(sizeof(T));
  }

  void forward(P& policy, int64_t n, const T* x, const T* kernel, const T* bias, bool relu, T* y, void* work) override {
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t pixels = std::min(step(n), n - at) * s_.out_pixels();
      Gemm g = typed(kTypeOf<T>);  // y [filters, pixels] = kernel [filters, K] windows [K, pixels]
      g.m = s_.filters, g.n = pixels, g.k = s_.window();
      g.a = kernel, g.lda = g.m;
      g.b = windows(policy, x + at * s_.in_size(), pixels, work), g.ldb = pitch();
      g.c = y + at * s_.out_pixels() * s_.filters, g.ldc = g.m;
      if (bias != nullptr) g.epilogue = relu ? Epilogue::relu_bias : Epilogue::bias;
      g.bias = bias;
      policy.gemm(g);
    }
  }

  void data_gradient(P& policy, int64_t n, const T* kernel, const T* dy, T* dx, bool add, void* work) override {
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t samples = std::min(step(n), n - at);
      T* to = dx + at * s_.in_size();
      Gemm g = typed(kTypeOf<T>);  // dwindows [K, pixels] = kernel^T [K, filters] dy [filters, pixels]
      g.transpose_a = true;
      g.m = s_.window(), g.n = samples * s_.out_pixels(), g.k = s_.filters;
      g.a = kernel, g.lda = g.k;
      g.b = dy + at * s_.out_pixels() * s_.filters, g.ldb = g.k;
      g.c = s_.pointwise() ? to : static_cast<T*>(work), g.ldc = pitch();
      g.beta = s_.pointwise() && add ? 1.0F : 0.0F;
      policy.gemm(g);
      if (!s_.pointwise())
        policy.launch(samples * s_.in_size(), Col2im<T>{s_, Divisor(s_.channels), Divisor(s_.width), Divisor(s_.height),
                                                        static_cast<const T*>(work), to, add});
    }
  }

  bool kernel_gradient(P& policy, int64_t n, const T* x, const T* dy, float* dkernel, float* dbias,
                       void* work) override {
    const bool sums = dbias != nullptr && step(n) >= n;  // sums of chunks are not added up
    for (int64_t at = 0; at < n; at += step(n)) {
      const int64_t pixels = std::min(step(n), n - at) * s_.out_pixels();
      Gemm g = typed(Type::fp32);  // dkernel [filters, K] = dy [filters, pixels]
                                   // windows^T [pixels, K], summed over the chunks
      g.transpose_b = true;
      g.m = s_.filters, g.n = s_.window(), g.k = pixels;
      g.a = dy + at * s_.out_pixels() * s_.filters, g.lda = g.m;
      g.b = windows(policy, x + at * s_.in_size(), pixels, work), g.ldb = pitch();
      g.c = dkernel, g.ldc = g.m;
      g.beta = at > 0 ? 1.0F : 0.0F;
      if (sums) g.epilogue = Epilogue::sums_of_a;
      g.sums = dbias;
      policy.gemm(g);
    }
    return sums;
  }

  std::string name() const override { return s_.pointwise() ? "GEMM" : "im2col and GEMM"; }

 private:
  int64_t step(int64_t n) const { return s_.pointwise() ? n : chunk_; }
  int64_t pitch() const { return s_.pointwise() ? s_.window() : window_pitch(s_); }
  Gemm typed(Type out) const {
    Gemm g;
    g.in = kTypeOf<T>;
    g.out = out;
    g.tf32 = tf32_;
    return g;
  }
  const T* windows(P& policy, const T* x, int64_t pixels, void* work) const {
    if (s_.pointwise()) return x;
    by_units<T>({s_.channels}, [&]<class U>(int64_t count) {
      ConvShape s = s_;
      s.channels /= count;
      const int64_t pitch = window_pitch(s_) / count;
      policy.launch(pixels * pitch,
                    Im2col<U>{s, Divisor(pitch), Divisor(s.out_width), Divisor(s.out_pixels()), Divisor(s.channels),
                              Divisor(s.kernel_w), reinterpret_cast<const U*>(x), static_cast<U*>(work)});
    });
    return static_cast<const T*>(work);
  }

  ConvShape s_;
  int64_t chunk_;
  bool tf32_;
};

}  // namespace lepton::cuda
