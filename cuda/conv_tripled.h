#pragma once
// 3x3 convolutions with stride 1 and a padding of 1, without windows laid out. Of each pixel its row's three (x-1, x,
// x+1) are written side by side, and those below each other behind each other: so the 9C values of a window stand in
// one piece, 3C after those of the window above it, and in the kernel's order. cublasLt does not let columns of a
// matrix overlap, but every third window does not overlap: one strided batch of three products (columns 9C apart,
// matrices 3C) is the layer. A line (one x of one sample, y after y) ends with a row of zeros or what the map has
// there, which serves as the next line's beginning; the products of windows that straddle two lines are not used.
#include <algorithm>
#include <cstdint>
#include <string>

#include "cuda/conv_plan.h"

namespace lepton::cuda {

inline bool tripled_fits(const ConvShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 1 &&
         s.pad_left == 1 && s.dilation == 1 && s.out_height <= s.height && s.out_width <= s.width;
}

// A map [height, width, channels] whose windows around [out_height, out_width] become `filters` values each.
struct Tripled {
  int64_t height, width, channels, out_height, out_width, filters;

  int64_t pitch() const { return out_height + (height > out_height ? 2 : 1); }
  int64_t places(int64_t samples) const { return samples * out_width * pitch(); }
  int64_t third(int64_t samples) const { return (places(samples) + 2) / 3; }  // windows of each of the three products
  // Values of the pixels in threes, with two places that the last window reaches beyond; of the products.
  int64_t triples(int64_t samples) const { return (3 * third(samples) + 2) * 3 * channels; }
  int64_t lines(int64_t samples) const { return 3 * third(samples) * filters; }
};

inline Tripled tripled_forward(const ConvShape& s) {
  return {s.height, s.width, s.channels, s.out_height, s.out_width, s.filters};
}
inline Tripled tripled_back(const ConvShape& s) {
  return {s.out_height, s.out_width, s.filters, s.height, s.width, s.channels};
}

// One unit each; all numbers in units (by_units).
template <class U>
struct WriteTriples {
  int64_t samples, height, width, channels;
  Divisor three, pitch, lines;  // by 3 channels, pitch, out_width
  const U* x;
  U* triples;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [place, k] = three(i);
    const auto [line, q] = pitch(place);
    const auto [sample, ox] = lines(line);
    const int64_t y = q - 1, from = (ox - 1) * channels + k;  // of a row, where pixels x-1, x, x+1 are neighbours
    const bool inside = sample < samples && y >= 0 && y < height && from >= 0 && from < width * channels;
    triples[i] = inside ? x[(sample * height + y) * width * channels + from] : U{};
  }
};

// Where the products keep the values of a map [n, height, width, channels]: line by line.
struct LinePlace {
  int64_t map_width, pitch, map_channels;
  Divisor channels, width, height;

  LinePlace(const Tripled& t, int64_t unit)
      : map_width(t.out_width),
        pitch(t.pitch()),
        map_channels(t.filters / unit),
        channels(map_channels),
        width(t.out_width),
        height(t.out_height) {}
  LEPTON_HD int64_t operator()(int64_t i) const {
    const auto [pixel, c] = channels(i);
    const auto [row, x] = width(pixel);
    const auto [sample, y] = height(row);
    return ((sample * map_width + x) * pitch + y) * map_channels + c;
  }
};

// y [n, height, width, filters] out of lines, one unit each.
template <class U>
struct ReadLines {
  LinePlace place;
  const U* lines;
  U* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = lines[place(i)]; }
};

template <class T>
struct AddLines {
  LinePlace place;
  const T* lines;
  T* y;
  LEPTON_HD void operator()(int64_t i) const { put(y[i], true, static_cast<float>(lines[place(i)])); }
};

// And back, one unit each: 0 where windows straddle two lines, and behind the last.
template <class U>
struct WriteLines {
  int64_t samples, height, map_width, map_channels;
  Divisor channels, pitch, width;
  const U* y;
  U* lines;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [place, c] = channels(i);
    const auto [line, at] = pitch(place);
    const auto [sample, x] = width(line);
    const bool inside = sample < samples && at < height;
    lines[i] = inside ? y[((sample * height + at) * map_width + x) * map_channels + c] : U{};
  }
};

// The kernel of the data gradient: [9, filters, channels] out of [9, channels, filters], taps in the other order.
template <class T>
struct TurnKernel {
  Divisor tap, row;  // by filters * channels, channels
  int64_t channels, filters;
  const T* kernel;
  T* turned;

  LEPTON_HD void operator()(int64_t i) const {
    const auto [at, rest] = tap(i);
    const auto [f, c] = row(rest);
    turned[i] = kernel[((8 - at) * channels + c) * filters + f];
  }
};

struct SumOfThree {
  int64_t count;
  const float* parts;
  float* sum;
  LEPTON_HD void operator()(int64_t i) const { sum[i] = parts[i] + parts[count + i] + parts[2 * count + i]; }
};

// `chunk` samples at a time, so that what is tripled may stay in the card's cache.
template <class P, class T>
class TripledPlan : public ConvPlan<P, T> {
 public:
  // tripled_fits(shape)
  TripledPlan(const ConvShape& shape, int64_t chunk, bool tf32)
      : s_(shape),
        forward_(tripled_forward(shape)),
        back_(tripled_back(shape)),
        chunk_(chunk),
        tf32_(tf32),
        lines_at_(rounded_up(bytes_of<T>(std::max(forward_.triples(chunk), back_.triples(chunk))))),
        kernel_at_(lines_at_ + rounded_up(bytes_of<T>(std::max(forward_.lines(chunk), back_.lines(chunk))))) {}

  // Triples, products by line, and the turned kernel or three kernel gradients.
  int64_t work_bytes() const override { return kernel_at_ + bytes_of<float>(3 * s_.window() * s_.filters); }

  void forward(P& policy, int64_t n, const T* x, const T* kernel, const T* bias, bool relu, T* y, void* work) override {
    for (int64_t at = 0; at < n; at += chunk_) {
      const int64_t samples = std::min(chunk_, n - at);
      write_triples(policy, forward_, samples, x + at * s_.in_size(), work);
      Gemm g = windows_by(forward_, samples, kernel, work);
      if (bias != nullptr) g.epilogue = relu ? Epilogue::relu_bias : Epilogue::bias;
      g.bias = bias;
      policy.gemm(g);
      read_lines(policy, forward_, samples, work, y + at * s_.out_pixels() * s_.filters, false);
    }
  }

  void data_gradient(P& policy, int64_t n, const T* kernel, const T* dy, T* dx, bool add, void* work) override {
    T* turned = part<T>(work, kernel_at_);
    policy.launch(s_.window() * s_.filters, TurnKernel<T>{Divisor(s_.filters * s_.channels), Divisor(s_.channels),
                                                          s_.channels, s_.filters, kernel, turned});
    for (int64_t at = 0; at < n; at += chunk_) {
      const int64_t samples = std::min(chunk_, n - at);
      write_triples(policy, back_, samples, dy + at * s_.out_pixels() * s_.filters, work);
      policy.gemm(windows_by(back_, samples, turned, work));
      read_lines(policy, back_, samples, work, dx + at * s_.in_size(), add);
    }
  }

  bool kernel_gradient(P& policy, int64_t n, const T* x, const T* dy, float* dkernel, float*, void* work) override {
    const int64_t count = s_.window() * s_.filters;
    auto* parts = part<float>(work, kernel_at_);
    for (int64_t at = 0; at < n; at += chunk_) {
      const int64_t samples = std::min(chunk_, n - at);
      write_triples(policy, forward_, samples, x + at * s_.in_size(), work);
      write_lines(policy, samples, dy + at * s_.out_pixels() * s_.filters, work);
      Gemm g;  // parts [filters, 9C] = lines [filters, places / 3] windows^T, each of every third place
      g.in = kTypeOf<T>;
      g.tf32 = tf32_;
      g.transpose_b = true;
      g.m = s_.filters, g.n = s_.window(), g.k = forward_.third(samples);
      g.a = part<T>(work, lines_at_), g.lda = 3 * s_.filters, g.stride_a = s_.filters;
      g.b = work, g.ldb = 9 * s_.channels, g.stride_b = 3 * s_.channels;
      g.c = parts, g.ldc = s_.filters, g.stride_c = count;
      g.batch = 3;
      g.beta = at > 0 ? 1.0F : 0.0F;
      policy.gemm(g);
    }
    policy.launch(count, SumOfThree{count, parts, dkernel});
    return false;
  }

  std::string name() const override { return "tripled rows"; }

 private:
  static int64_t rounded_up(int64_t bytes) { return (bytes + 255) / 256 * 256; }
  template <class V>
  static int64_t bytes_of(int64_t count) {
    return count * static_cast<int64_t>(sizeof(V));
  }
  template <class V>
  static V* part(void* work, int64_t at) {
    return reinterpret_cast<V*>(static_cast<char*>(work) + at);
  }

  // lines [filters, places] = kernel [filters, 9C] windows [9C, places], every third place in each product.
  Gemm windows_by(const Tripled& t, int64_t samples, const T* kernel, void* work) const {
    Gemm g;
    g.in = g.out = kTypeOf<T>;
    g.tf32 = tf32_;
    g.m = t.filters, g.n = t.third(samples), g.k = 9 * t.channels;
    g.a = kernel, g.lda = t.filters;
    g.b = work, g.ldb = 9 * t.channels, g.stride_b = 3 * t.channels;
    g.c = part<T>(work, lines_at_), g.ldc = 3 * t.filters, g.stride_c = t.filters;
    g.batch = 3;
    return g;
  }

  static void write_triples(P& policy, const Tripled& t, int64_t samples, const T* x, void* work) {
    by_units<T>({t.channels}, [&]<class U>(int64_t unit) {
      const int64_t channels = t.channels / unit;
      policy.launch(t.triples(samples) / unit,
                    WriteTriples<U>{samples, t.height, t.width, channels, Divisor(3 * channels), Divisor(t.pitch()),
                                    Divisor(t.out_width), reinterpret_cast<const U*>(x), static_cast<U*>(work)});
    });
  }

  void read_lines(P& policy, const Tripled& t, int64_t samples, void* work, T* y, bool add) const {
    const int64_t count = samples * t.out_height * t.out_width * t.filters;
    if (add) return policy.launch(count, AddLines<T>{LinePlace(t, 1), part<T>(work, lines_at_), y});
    by_units<T>({t.filters}, [&]<class U>(int64_t unit) {
      policy.launch(count / unit, ReadLines<U>{LinePlace(t, unit), part<U>(work, lines_at_), reinterpret_cast<U*>(y)});
    });
  }

  void write_lines(P& policy, int64_t samples, const T* dy, void* work) const {
    const Tripled& t = forward_;
    by_units<T>({t.filters}, [&]<class U>(int64_t unit) {
      const int64_t filters = t.filters / unit;
      policy.launch(t.lines(samples) / unit,
                    WriteLines<U>{samples, t.out_height, t.out_width, filters, Divisor(filters), Divisor(t.pitch()),
                                  Divisor(t.out_width), reinterpret_cast<const U*>(dy), part<U>(work, lines_at_)});
    });
  }

  ConvShape s_;
  Tripled forward_, back_;
  int64_t chunk_;
  bool tf32_;
  int64_t lines_at_, kernel_at_;  // in work, bytes
};

}  // namespace lepton::cuda
