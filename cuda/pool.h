#pragma once
// Pools. The forward pass of training keeps where each window's largest value stood, so that the backward pass gathers
// without searching.
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

// One output each. where: [n, out_height, out_width, channels] of y * width + x, or nullptr.
template <class T>
struct MaxForward {
  kernels::MaxPool<float> max;
  Places places;
  int64_t channels;
  const T* x;
  T* y;
  int32_t* where;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = max.pool;
    const Place at = places(i);
    const T* plane = x + at.sample * p.height * p.width * channels + at.channel;
    const int64_t best = max.where(plane, channels, at.y, at.x);
    y[i] = plane[best * channels];
    if (where != nullptr) where[i] = static_cast<int32_t>(best);
  }
};

// One input each.
template <class T>
struct MaxBack {
  kernels::Pool pool;
  Places places;
  int64_t channels;
  const int32_t* where;
  const T* dy;
  T* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = places(i);
    const int64_t plane = at.sample * pool.out_height * pool.out_width * channels + at.channel;
    const kernels::Pool::Range rows = pool.windows_of_row(at.y), columns = pool.windows_of_column(at.x);
    float total = 0;
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      for (int64_t ox = columns.begin; ox < columns.end; ++ox) {
        const int64_t out = plane + (oy * pool.out_width + ox) * channels;
        if (where[out] == at.y * pool.width + at.x) total += static_cast<float>(dy[out]);
      }
    }
    put(dx[i], add, total);
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
    if (training) where_ = memory_of<int32_t>(policy, batch * out_);
  }
  int64_t kept_bytes() const override { return where_.bytes(); }
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    int32_t* where = pass.training ? where_.template as<int32_t>() : nullptr;
    policy.launch(pass.n * out_, MaxForward<T>{{pool_}, outputs(), channels_, b.x[0], b.y, where});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] == nullptr) return;
    const auto* where = where_.template as<int32_t>();
    policy.launch(pass.n * in_, MaxBack<T>{pool_, inputs(), channels_, where, b.dy, b.dx[0], b.add[0]});
  }

 private:
  Places inputs() const { return {pool_.height, pool_.width, channels_}; }
  Places outputs() const { return {pool_.out_height, pool_.out_width, channels_}; }

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
