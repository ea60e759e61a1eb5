#pragma once
// Pools. The forward pass of training keeps where each window's largest value stood, so that the backward pass gathers
// without searching.
#include "base/hd.h"
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

LEPTON_HD Place place_of(int64_t i, int64_t height, int64_t width, int64_t channels) {
  const int64_t pixel = i / channels;
  return {pixel / width / height, pixel / width % height, pixel % width, i % channels};
}

inline kernels::Pool pool_of(const Node& node, const Shape& in) {
  if (node.kind == LayerKind::globalmax || node.kind == LayerKind::globalavg) {
    return {in[0], in[1], 1, 1, in[0], in[1], in[0], in[1], 0, 0};
  }
  const Attributes& a = node.attributes;
  return {in[0],      in[1],      node.shape[0], node.shape[1], a.kernel_h,
          a.kernel_w, a.stride_h, a.stride_w,    a.pad_top,     a.pad_left};
}

// One output each. where: [n, out_height, out_width, channels] of y * width + x, or nullptr.
struct MaxForward {
  kernels::MaxPool<float> max;
  int64_t channels;
  const float* x;
  float* y;
  int32_t* where;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = max.pool;
    const Place at = place_of(i, p.out_height, p.out_width, channels);
    const float* plane = x + at.sample * p.height * p.width * channels + at.channel;
    const int64_t best = max.where(plane, channels, at.y, at.x);
    y[i] = plane[best * channels];
    if (where != nullptr) where[i] = static_cast<int32_t>(best);
  }
};

// One input each.
struct MaxBack {
  kernels::Pool pool;
  int64_t channels;
  const int32_t* where;
  const float* dy;
  float* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const Place at = place_of(i, pool.height, pool.width, channels);
    const int64_t plane = at.sample * pool.out_height * pool.out_width * channels + at.channel;
    const kernels::Pool::Range rows = pool.windows_of_row(at.y), columns = pool.windows_of_column(at.x);
    float total = 0;
    for (int64_t oy = rows.begin; oy < rows.end; ++oy) {
      for (int64_t ox = columns.begin; ox < columns.end; ++ox) {
        const int64_t out = plane + (oy * pool.out_width + ox) * channels;
        if (where[out] == at.y * pool.width + at.x) total += dy[out];
      }
    }
    put(dx[i], add, total);
  }
};

struct AvgForward {
  kernels::AvgPool<float> avg;
  int64_t channels;
  const float* x;
  float* y;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = avg.pool;
    const Place at = place_of(i, p.out_height, p.out_width, channels);
    y[i] = avg.value(x + at.sample * p.height * p.width * channels + at.channel, channels, at.y, at.x);
  }
};

struct AvgBack {
  kernels::AvgPool<float> avg;
  int64_t channels;
  const float* dy;
  float* dx;
  bool add;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::Pool& p = avg.pool;
    const Place at = place_of(i, p.height, p.width, channels);
    const float* plane = dy + at.sample * p.out_height * p.out_width * channels + at.channel;
    put(dx[i], add, avg.gradient(plane, channels, at.y, at.x));
  }
};

template <class P>
class MaxPoolOp : public Op<P> {
 public:
  MaxPoolOp(P& policy, const Node& node, const Shape& in, int64_t batch, bool training)
      : pool_(pool_of(node, in)), channels_(in[2]), in_(in.elements()), out_(node.shape.elements()) {
    if (training) where_ = memory_of<int32_t>(policy, batch * out_);
  }
  int64_t kept_bytes() const override { return where_.bytes(); }
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    int32_t* where = pass.training ? where_.template as<int32_t>() : nullptr;
    policy.launch(pass.n * out_, MaxForward{{pool_}, channels_, b.x[0], b.y, where});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (b.dx[0] == nullptr) return;
    const auto* where = where_.template as<int32_t>();
    policy.launch(pass.n * in_, MaxBack{pool_, channels_, where, b.dy, b.dx[0], b.add[0]});
  }

 private:
  kernels::Pool pool_;
  int64_t channels_, in_, out_;
  Memory<P> where_;
};

template <class P>
class AvgPoolOp : public Op<P> {
 public:
  AvgPoolOp(const Node& node, const Shape& in)
      : pool_(pool_of(node, in)), channels_(in[2]), in_(in.elements()), out_(node.shape.elements()) {}
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    policy.launch(pass.n * out_, AvgForward{{pool_}, channels_, b.x[0], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * in_, AvgBack{{pool_}, channels_, b.dy, b.dx[0], b.add[0]});
  }

 private:
  kernels::Pool pool_;
  int64_t channels_, in_, out_;
};

}  // namespace lepton::cuda
