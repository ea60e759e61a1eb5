// Pools, batch-norm and activations: the loops around lib/kernels.
#include <algorithm>

#include "base/error.h"
#include "engine/reference/layers.h"
#include "kernels/activation.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/reduce.h"

namespace lepton::reference {
namespace {

bool takes_largest(const Node& node) { return node.kind == LayerKind::maxpool || node.kind == LayerKind::globalmax; }

kernels::Pool pool_of(const Node& node, const Shape& in) {
  if (node.kind == LayerKind::globalmax || node.kind == LayerKind::globalavg) {
    return {in[0], in[1], 1, 1, in[0], in[1], in[0], in[1], 0, 0};
  }
  const Attributes& a = node.attributes;
  return {in[0],      in[1],      node.shape[0], node.shape[1], a.kernel_h,
          a.kernel_w, a.stride_h, a.stride_w,    a.pad_top,     a.pad_left};
}

// Calls f(input plane's offset, output plane's offset, y, x, place) for each sample, channel and place of a map
// [height, width], `place` being the offset within the plane.
template <class F>
void over_planes(const kernels::Pool& pool, int64_t channels, int64_t n, int64_t height, int64_t width, F f) {
  for (int64_t plane = 0; plane < n * channels; ++plane) {
    const int64_t s = plane / channels, c = plane % channels;
    const int64_t from = s * pool.height * pool.width * channels + c;
    const int64_t to = s * pool.out_height * pool.out_width * channels + c;
    for (int64_t i = 0; i < height * width; ++i) f(from, to, i / width, i % width, i * channels);
  }
}

// Calls f(functor) with the kernel of an activation layer.
template <class F>
void with_activation(LayerKind kind, F f) {
  if (kind == LayerKind::relu) return f(kernels::Relu<double>{});
  if (kind == LayerKind::gelu) return f(kernels::Gelu<double>{});
  if (kind == LayerKind::silu) return f(kernels::Silu<double>{});
  fail(Exit::bug, "reference: {} is no activation", kind_name(kind));
}

kernels::BatchNorm<double> norm_of(double epsilon, const Moments& moments, const Values& gamma, size_t c) {
  return {moments.mean[c], kernels::inverse_deviation(moments.variance[c], epsilon), gamma[c], 0};
}

}  // namespace

void pool_forward(const Node& node, const Shape& in, int64_t n, const Values& x, Values& y) {
  const kernels::Pool pool = pool_of(node, in);
  const int64_t channels = in[2];
  const kernels::MaxPool<double> largest{pool};
  const kernels::AvgPool<double> mean{pool};
  over_planes(pool, channels, n, pool.out_height, pool.out_width,
              [&](int64_t from, int64_t to, int64_t oy, int64_t ox, int64_t place) {
                const double* plane = x.data() + from;
                y[static_cast<size_t>(to + place)] =
                    takes_largest(node) ? largest.value(plane, channels, oy, ox) : mean.value(plane, channels, oy, ox);
              });
}

void pool_backward(const Node& node, const Shape& in, int64_t n, const Values& x, const Values& dy, Values& dx) {
  const kernels::Pool pool = pool_of(node, in);
  const int64_t channels = in[2];
  const kernels::MaxPool<double> largest{pool};
  const kernels::AvgPool<double> mean{pool};
  dx.resize(x.size());
  over_planes(
      pool, channels, n, pool.height, pool.width, [&](int64_t from, int64_t to, int64_t iy, int64_t ix, int64_t place) {
        const double* gradient = dy.data() + to;
        dx[static_cast<size_t>(from + place)] = takes_largest(node)
                                                    ? largest.gradient(x.data() + from, gradient, channels, iy, ix)
                                                    : mean.gradient(gradient, channels, iy, ix);
      });
}

Moments moments(const Values& x, const Counts& rows, int64_t channels) {
  const auto count = static_cast<int64_t>(rows.size());
  const auto share = static_cast<double>(std::max<int64_t>(count, 1));
  Moments result;
  for (int64_t c = 0; c < channels; ++c) {
    const auto at = [&](int64_t i) { return x[static_cast<size_t>(rows[static_cast<size_t>(i)] * channels + c)]; };
    const double mean = kernels::reduce<double>(count, at) / share;
    const auto square = [&](int64_t i) { return (at(i) - mean) * (at(i) - mean); };
    result.mean.push_back(mean);
    result.variance.push_back(kernels::reduce<double>(count, square) / share);
  }
  return result;
}

void norm_forward(double epsilon, const Moments& moments, const Values& gamma, const Values& beta, const Values& x,
                  Values& y) {
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i % gamma.size();
    kernels::BatchNorm<double> norm = norm_of(epsilon, moments, gamma, c);
    norm.beta = beta[c];
    y[i] = norm.value(x[i]);
  }
}

void norm_backward(double epsilon, const Moments& moments, const Values& gamma, const Counts& rows, const Values& x,
                   const Values& dy, Values& dx, Values& dgamma, Values& dbeta) {
  const size_t channels = gamma.size();
  const auto count = static_cast<int64_t>(rows.size());
  dx.assign(x.size(), 0);
  for (size_t c = 0; c < channels; ++c) {
    const kernels::BatchNorm<double> norm = norm_of(epsilon, moments, gamma, c);
    const auto at = [&](int64_t i) { return static_cast<size_t>(rows[static_cast<size_t>(i)]) * channels + c; };
    const double sum = kernels::reduce<double>(count, [&](int64_t i) { return dy[at(i)]; });
    const double product =
        kernels::reduce<double>(count, [&](int64_t i) { return dy[at(i)] * norm.normalized(x[at(i)]); });
    dbeta[c] += sum;
    dgamma[c] += product;
    for (int64_t i = 0; i < count; ++i) {
      dx[at(i)] = norm.gradient(x[at(i)], dy[at(i)], sum, product, static_cast<double>(count));
    }
  }
}

void concat_forward(int64_t rows, const std::vector<const Values*>& xs, Values& y) {
  auto to = y.begin();
  for (int64_t row = 0; row < rows; ++row) {
    for (const Values* x : xs) {
      const int64_t channels = static_cast<int64_t>(x->size()) / rows;
      to = std::copy_n(x->begin() + row * channels, channels, to);
    }
  }
}

void concat_backward(int64_t rows, int64_t first, int64_t channels, const Values& dy, Values& dx) {
  const int64_t all = static_cast<int64_t>(dy.size()) / rows;
  dx.resize(static_cast<size_t>(rows * channels));
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(dy.begin() + row * all + first, channels, dx.begin() + row * channels);
  }
}

void activation_forward(LayerKind kind, const Values& x, Values& y) {
  with_activation(kind, [&](auto activation) {
    for (size_t i = 0; i < x.size(); ++i) y[i] = activation.value(x[i]);
  });
}

void activation_backward(LayerKind kind, const Values& x, const Values& dy, Values& dx) {
  dx.resize(x.size());
  with_activation(kind, [&](auto activation) {
    for (size_t i = 0; i < x.size(); ++i) dx[i] = dy[i] * activation.slope(x[i]);
  });
}

}  // namespace lepton::reference
