// Convolution, dense layer and bias.
#include "engine/reference/layers.h"
#include "kernels/reduce.h"

namespace lepton::reference {
namespace {

// Calls f(x offset, place in the window, y offset) for each pair of an input pixel and an output pixel that meet in a
// window; the offsets are those of channel 0.
template <class F>
void over_windows(const Node& node, const Shape& in, int64_t n, F f) {
  const Attributes& a = node.attributes;
  const Shape& out = node.shape;
  for (int64_t pixel = 0; pixel < n * out[0] * out[1]; ++pixel) {
    const int64_t sample = pixel / (out[0] * out[1]), oy = pixel / out[1] % out[0], ox = pixel % out[1];
    for (int64_t ky = 0; ky < a.kernel_h; ++ky) {
      const int64_t y = oy * a.stride_h + ky * a.dilation - a.pad_top;
      if (y < 0 || y >= in[0]) continue;
      for (int64_t kx = 0; kx < a.kernel_w; ++kx) {
        const int64_t x = ox * a.stride_w + kx * a.dilation - a.pad_left;
        if (x < 0 || x >= in[1]) continue;
        f(((sample * in[0] + y) * in[1] + x) * in[2], ky * a.kernel_w + kx, pixel * out[2]);
      }
    }
  }
}

void set_bias(const Values* bias, int64_t channels, Values& y) {
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias == nullptr ? 0 : (*bias)[i % static_cast<size_t>(channels)];
}

// y[O] += x[I] kernel[I,O].
void add_product(const double* x, const double* kernel, int64_t inputs, int64_t outputs, double* y) {
  for (int64_t i = 0; i < inputs; ++i) {
    for (int64_t o = 0; o < outputs; ++o) y[o] += x[i] * kernel[i * outputs + o];
  }
}

// dx[I] += kernel[I,O] dy[O], dkernel[I,O] += x[I] dy[O].
void add_gradients(const double* x, const double* kernel, const double* dy, int64_t inputs, int64_t outputs, double* dx,
                   double* dkernel) {
  for (int64_t i = 0; i < inputs; ++i) {
    double total = 0;
    for (int64_t o = 0; o < outputs; ++o) {
      total += kernel[i * outputs + o] * dy[o];
      dkernel[i * outputs + o] += x[i] * dy[o];
    }
    dx[i] += total;
  }
}

}  // namespace

void conv_forward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                  const Values* bias, Values& y) {
  const int64_t size = in[2] * node.shape[2];
  set_bias(bias, node.shape[2], y);
  over_windows(node, in, n, [&](int64_t from, int64_t k, int64_t to) {
    add_product(x.data() + from, kernel.data() + k * size, in[2], node.shape[2], y.data() + to);
  });
}

void conv_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                   const Values& dy, Values& dx, Values& dkernel) {
  const int64_t size = in[2] * node.shape[2];
  dx.assign(x.size(), 0);
  over_windows(node, in, n, [&](int64_t from, int64_t k, int64_t to) {
    add_gradients(x.data() + from, kernel.data() + k * size, dy.data() + to, in[2], node.shape[2], dx.data() + from,
                  dkernel.data() + k * size);
  });
}

void dwconv_forward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                    const Values* bias, Values& y) {
  set_bias(bias, node.shape[2], y);
  over_windows(node, in, n, [&](int64_t from, int64_t k, int64_t to) {
    for (int64_t c = 0; c < in[2]; ++c) {
      y[static_cast<size_t>(to + c)] += x[static_cast<size_t>(from + c)] * kernel[static_cast<size_t>(k * in[2] + c)];
    }
  });
}

void dwconv_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& kernel,
                     const Values& dy, Values& dx, Values& dkernel) {
  dx.assign(x.size(), 0);
  over_windows(node, in, n, [&](int64_t from, int64_t k, int64_t to) {
    for (int64_t c = 0; c < in[2]; ++c) {
      const double gradient = dy[static_cast<size_t>(to + c)];
      dx[static_cast<size_t>(from + c)] += gradient * kernel[static_cast<size_t>(k * in[2] + c)];
      dkernel[static_cast<size_t>(k * in[2] + c)] += gradient * x[static_cast<size_t>(from + c)];
    }
  });
}

void dense_forward(int64_t n, const Values& x, const Values& kernel, const Values* bias, Values& y) {
  const int64_t inputs = static_cast<int64_t>(x.size()) / n, outputs = static_cast<int64_t>(y.size()) / n;
  set_bias(bias, outputs, y);
  for (int64_t s = 0; s < n; ++s) {
    add_product(x.data() + s * inputs, kernel.data(), inputs, outputs, y.data() + s * outputs);
  }
}

void dense_backward(int64_t n, const Values& x, const Values& kernel, const Values& dy, Values& dx, Values& dkernel) {
  const int64_t inputs = static_cast<int64_t>(x.size()) / n, outputs = static_cast<int64_t>(dy.size()) / n;
  dx.assign(x.size(), 0);
  for (int64_t s = 0; s < n; ++s) {
    add_gradients(x.data() + s * inputs, kernel.data(), dy.data() + s * outputs, inputs, outputs,
                  dx.data() + s * inputs, dkernel.data());
  }
}

void bias_backward(const Values& dy, Values& dbias) {
  const auto channels = static_cast<int64_t>(dbias.size()), rows = static_cast<int64_t>(dy.size()) / channels;
  for (int64_t c = 0; c < channels; ++c) {
    dbias[static_cast<size_t>(c)] += kernels::reduce<double>(rows, [&](int64_t r) { return dy[r * channels + c]; });
  }
}

}  // namespace lepton::reference
