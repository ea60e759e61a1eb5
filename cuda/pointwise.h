#pragma once
// Layers of one value each: activations, addition, scaling, dropout, and the bias of others.
#include <memory>

#include "base/error.h"
#include "base/hd.h"
#include "cuda/op.h"
#include "cuda/sums.h"
#include "kernels/activation.h"
#include "kernels/dropout.h"
#include "net/graph.h"

namespace lepton::cuda {

LEPTON_HD void put(float& to, bool add, float value) { to = add ? to + value : value; }

template <class A>
struct Activate {
  const float* x;
  float* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = A{}.value(x[i]); }
};

template <class A>
struct ActivateBack {
  const float *x, *dy;
  float* dx;
  bool add;
  LEPTON_HD void operator()(int64_t i) const { put(dx[i], add, dy[i] * A{}.slope(x[i])); }
};

struct Add {
  const float *a, *b;
  float* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = a[i] + b[i]; }
};

struct Scaled {
  const float* x;
  float* y;
  float factor;
  bool add;
  LEPTON_HD void operator()(int64_t i) const { put(y[i], add, x[i] * factor); }
};

struct Drop {
  kernels::Dropout dropout;
  const float* x;
  float* y;
  bool add;
  LEPTON_HD void operator()(int64_t i) const { put(y[i], add, x[i] * dropout(static_cast<uint64_t>(i))); }
};

struct AddBias {
  const float* bias;
  int64_t channels;
  float* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] += bias[i % channels]; }
};

// Term of column_sums: x [rows, columns].
struct Element {
  const float* x;
  int64_t columns;
  LEPTON_HD double operator()(int64_t row, int64_t column) const { return x[row * columns + column]; }
};

struct Narrow {
  const double* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = static_cast<float>(from[i]); }
};

// dbias[channels] = sums of dy [rows, channels]; `work` holds sums_room(rows, channels) doubles.
template <class P>
void bias_gradient(P& policy, int64_t rows, int64_t channels, const float* dy, float* dbias, void* work) {
  const double* sums = column_sums(policy, rows, channels, Element{dy, channels}, static_cast<double*>(work));
  policy.launch(channels, Narrow{sums, dbias});
}

template <class P, class A>
class ActivationOp : public Op<P> {
 public:
  explicit ActivationOp(int64_t elements) : elements_(elements) {}
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    policy.launch(pass.n * elements_, Activate<A>{b.x[0], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, ActivateBack<A>{b.x[0], b.dy, b.dx[0], b.add[0]});
  }

 private:
  int64_t elements_;
};

// scale; flatten is a scale by 1.
template <class P>
class ScaleOp : public Op<P> {
 public:
  ScaleOp(int64_t elements, float factor) : elements_(elements), factor_(factor) {}
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    policy.launch(pass.n * elements_, Scaled{b.x[0], b.y, factor_, false});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, Scaled{b.dy, b.dx[0], factor_, b.add[0]});
  }

 private:
  int64_t elements_;
  float factor_;
};

template <class P>
class AddOp : public Op<P> {
 public:
  explicit AddOp(int64_t elements) : elements_(elements) {}
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    policy.launch(pass.n * elements_, Add{b.x[0], b.x[1], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    for (size_t i = 0; i < 2; ++i) {
      if (b.dx[i] != nullptr) policy.launch(pass.n * elements_, Scaled{b.dy, b.dx[i], 1, b.add[i]});
    }
  }

 private:
  int64_t elements_;
};

template <class P>
class DropoutOp : public Op<P> {
 public:
  DropoutOp(int64_t elements, NodeId node, float rate, uint64_t seed)
      : elements_(elements), dropout_{seed, 0, node, rate} {}
  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    if (!pass.training) return policy.launch(pass.n * elements_, Scaled{b.x[0], b.y, 1, false});
    policy.launch(pass.n * elements_, Drop{at(pass.step), b.x[0], b.y, false});
  }
  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, Drop{at(pass.step), b.dy, b.dx[0], b.add[0]});
  }

 private:
  kernels::Dropout at(int64_t step) const {
    kernels::Dropout dropout = dropout_;
    dropout.step = static_cast<uint64_t>(step);
    return dropout;
  }

  int64_t elements_;
  kernels::Dropout dropout_;
};

}  // namespace lepton::cuda
