#pragma once
// Pools. The forward pass of training keeps where in each window the largest value stood, in one byte, so that the
// backward pass gathers without searching.
#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/pointwise.h"
#include "kernels/pool.h"
#include "net/graph.h"

namespace lepton::cuda {

// Place of element i of a map [n, height, width, channels].
struct Place {
  int64_t sample, y, x, channel;
};

// Places of a map.
struct Places {
  Divisor height, width, channels;

  Places(int64_t map_height, int64_t map_width, int64_t map_channels)
      : height(map_height), width(map_width), channels(map_channels) {}
  LEPTON_HD Place operator()(int64_t i) const {
    const auto [pixel, c] = channels(i);
    const auto [row, x] = width(pixel);
    const auto [sample, y] = height(row);
    return {sample, y, x, c};
  }
};

inline kernels::Pool pool_of(const Node& node, const Shape& in) {
  if (node.kind == LayerKind::globalmax || node.kind == LayerKind::globalavg) {
    return {in[0], in[1], 1, 1, in[0], in[1], in[0], in[1], 0, 0};
  }
  const Attributes& a = node.attributes;
  return {in[0],      in[1],      node.shape[0], node.shape[1], a.kernel_h,
          a.kernel_w, a.stride_h, a.stride_w,    a.pad_top,     a.pad_left};
}

// N neighbouring channels, loaded and stored at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};

// N channels of one output each. where: [n, out_height, out_width, channels] of the place within the window, row by
// row, the first of equals; or nullptr. W holds as many places as a window has.
template <class T, class W, int N>
struct MaxForward {
  kernels::Pool pool;
  Places places;
  int64_t packs;  // of a pixel
  const Pack<T, N>* x;
  Pack<T, N>* y;
  Pack<W, N>* where;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const kernels::Pool::Range rows = pool.rows(at.y), columns = pool.columns(at.x);
    const int64_t top = at.y * pool.stride_h - pool.pad_top, left = at.x * pool.stride_w - pool.pad_left;
    const Pack<T, N>* plane = x + at.sample * pool.height * pool.width * packs + at.channel;
    Pack<T, N> best = plane[(rows.begin * pool.width + columns.begin) * packs];
    Pack<W, N> place;
    for (W& first : place.v) first = static_cast<W>((rows.begin - top) * pool.kernel_w + columns.begin - left);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        const Pack<T, N> here = plane[(row * pool.width + column) * packs];
        for (int lane = 0; lane < N; ++lane) {
          if (!(static_cast<float>(here.v[lane]) > static_cast<float>(best.v[lane]))) continue;
          best.v[lane] = here.v[lane];
          place.v[lane] = static_cast<W>((row - top) * pool.kernel_w + column - left);
        }
      }
    }
    y[i] = best;
    if (where != nullptr) where[i] = place;
  }
};

// N channels of one input each: asks the windows that hold it.
template <class T, class W, int N>
struct MaxBack {
  kernels::Pool pool;
  Places places;
  int64_t packs;
  const Pack<W, N>* where;
  const Pack<T, N>* dy;
  Pack<T, N>* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const int64_t plane = at.sample * pool.out_height * pool.out_width * packs + at.channel;
    const kernels::Pool::Range rows = pool.windows_of_row(at.y), columns = pool.windows_of_column(at.x);
    float total[N] = {};
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      for (int64_t ox = columns.begin; ox < columns.end; ++ox) {
        const int64_t out = plane + (oy * pool.out_width + ox) * packs;
        const int64_t row = at.y - oy * pool.stride_h + pool.pad_top;
        const auto here = static_cast<W>(row * pool.kernel_w + at.x - ox * pool.stride_w + pool.pad_left);
        const Pack<W, N> place = where[out];
        const Pack<T, N> d = dy[out];
        for (int lane = 0; lane < N; ++lane) total[lane] += place.v[lane] == here ? static_cast<float>(d.v[lane]) : 0;
      }
    }
    Pack<T, N> sum = add ? dx[i] : Pack<T, N>{};
    for (int lane = 0; lane < N; ++lane) put(sum.v[lane], add, total[lane]);
    dx[i] = sum;
  }
};

template <class T>
struct AvgForward {
  kernels::AvgPool<float> avg;
  Places places;
  int64_t channels;
  const T* x;
  T* y;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = avg.pool;
    const Place at = places(i);
    y[i] = T(avg.value(x + at.sample * p.height * p.width * channels + at.channel, channels, at.y, at.x));
  }
};

template <class T>
struct AvgBack {
  kernels::AvgPool<float> avg;
  Places places;
  int64_t channels;
  const T* dy;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = avg.pool;
    const Place at = places(i);
    const T* plane = dy + at.sample * p.out_height * p.out_width * channels + at.channel;
    put(dx[i], add, avg.gradient(plane, channels, at.y, at.x));
  }
};

template <class P, class T>
class MaxPoolOp : public Op<P, T> {
 public:
  MaxPoolOp(P& policy, const Node& node, const Shape& in, int64_t batch, bool training)
      : pool_(pool_of(node, in)), channels_(in[2]), in_(in.elements()), out_(node.shape.elements()) {
    if (training) where_ = Memory<P>(policy, batch * out_ * (small() ? 1 : static_cast<int64_t>(sizeof(int32_t))));
  }
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    with([&]<class W, int N>() {
      const int64_t packs = channels_ / N;
      auto* where = pass.training ? where_.template as<Pack<W, N>>() : nullptr;
      policy.launch(pass.n * out_ / N, MaxForward<T, W, N>{pool_, Places(pool_.out_height, pool_.out_width, packs),
                                                           packs, reinterpret_cast<const Pack<T, N>*>(b.x[0]),
                                                           reinterpret_cast<Pack<T, N>*>(b.y), where});
    });
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] == nullptr) return;
    with([&]<class W, int N>() {
      const int64_t packs = channels_ / N;
      policy.launch(pass.n * in_ / N,
                    MaxBack<T, W, N>{pool_, Places(pool_.height, pool_.width, packs), packs,
                                     where_.template as<Pack<W, N>>(), reinterpret_cast<const Pack<T, N>*>(b.dy),
                                     reinterpret_cast<Pack<T, N>*>(b.dx[0]), b.add[0]});
    });
  }

 private:
  static constexpr int kLanes = 16 / static_cast<int>(sizeof(T));  // 16 bytes
  bool small() const { return pool_.kernel_h * pool_.kernel_w <= 256; }

  // f.operator()<W, N>() with what holds a place, and how many channels are taken at once.
  template <class F>
  void with(F f) const {
    const bool even = channels_ % kLanes == 0;
    if (small()) return even ? f.template operator()<uint8_t, kLanes>() : f.template operator()<uint8_t, 1>();
    return even ? f.template operator()<int32_t, kLanes>() : f.template operator()<int32_t, 1>();
  }

  kernels::Pool pool_;
  int64_t channels_, in_, out_;
  Memory<P> where_;
};

template <class P, class T>
class AvgPoolOp : public Op<P, T> {
 public:
  AvgPoolOp(const Node& node, const Shape& in)
      : pool_(pool_of(node, in)), channels_(in[2]), in_(in.elements()), out_(node.shape.elements()) {}
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * out_, AvgForward<T>{{pool_}, outputs(), channels_, b.x[0], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] != nullptr)
      policy.launch(pass.n * in_, AvgBack<T>{{pool_}, inputs(), channels_, b.dy, b.dx[0], b.add[0]});
  }

 private:
  Places inputs() const { return {pool_.height, pool_.width, channels_}; }
  Places outputs() const { return {pool_.out_height, pool_.out_width, channels_}; }

  kernels::Pool pool_;
  int64_t channels_, in_, out_;
};

}  // namespace lepton::cuda
