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

template <class T>
LEPTON_HD void put(T& to, bool add, float value) {
  to = T(add ? static_cast<float>(to) + value : value);
}

template <class T, class A>
struct Activate {
  const T* x;
  T* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = T(A{}.value(x[i])); }
};

template <class T, class A>
struct ActivateBack {
  const T *x, *dy;
  T* dx;
  bool add;
  LEPTON_HD void operator()(int64_t i) const { put(dx[i], add, dy[i] * A{}.slope(x[i])); }
};

template <class T>
struct Add {
  const T *a, *b;
  T* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = T(static_cast<float>(a[i]) + static_cast<float>(b[i])); }
};

template <class T>
struct Scaled {
  const T* x;
  T* y;
  float factor;
  bool add;
  LEPTON_HD void operator()(int64_t i) const { put(y[i], add, x[i] * factor); }
};

template <class T>
struct Drop {
  kernels::Dropout dropout;  // but for the step
  const StepNumbers* numbers;
  const T* x;
  T* y;
  bool add;
  LEPTON_HD void operator()(int64_t i) const {
    kernels::Dropout now = dropout;
    now.step = numbers->step;
    put(y[i], add, x[i] * now(static_cast<uint64_t>(i)));
  }
};

template <class T>
struct ReluInPlace {
  T* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = T(kernels::Relu<float>{}.value(y[i])); }
};

// dy of a relu becomes that of its input; y > 0 says where the input was.
template <class T>
struct MaskByResult {
  const T* y;
  T* dy;
  LEPTON_HD void operator()(int64_t i) const { dy[i] = T(dy[i] * kernels::Relu<float>{}.slope(y[i])); }
};

// Term of column_sums: x [rows, columns].
template <class T>
struct Element {
  const T* x;
  int64_t columns;
  LEPTON_HD double operator()(int64_t row, int64_t column) const {
    return static_cast<double>(static_cast<float>(x[row * columns + column]));
  }
};

struct Narrow {
  const double* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = static_cast<float>(from[i]); }
};

// dbias[channels] = sums of dy [rows, channels]; `work` holds sums_room(rows, channels) doubles.
template <class P, class T>
void bias_gradient(P& policy, int64_t rows, int64_t channels, const T* dy, float* dbias, void* work) {
  const double* sums = column_sums(policy, rows, channels, Element<T>{dy, channels}, static_cast<double*>(work));
  policy.launch(channels, Narrow{sums, dbias});
}

template <class P, class T, class A>
class ActivationOp : public Op<P, T> {
 public:
  explicit ActivationOp(int64_t elements) : elements_(elements) {}
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * elements_, Activate<T, A>{b.x[0], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, ActivateBack<T, A>{b.x[0], b.dy, b.dx[0], b.add[0]});
  }

 private:
  int64_t elements_;
};

// scale; flatten is a scale by 1.
template <class P, class T>
class ScaleOp : public Op<P, T> {
 public:
  ScaleOp(int64_t elements, float factor) : elements_(elements), factor_(factor) {}
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * elements_, Scaled<T>{b.x[0], b.y, factor_, false});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] != nullptr) policy.launch(pass.n * elements_, Scaled<T>{b.dy, b.dx[0], factor_, b.add[0]});
  }

 private:
  int64_t elements_;
  float factor_;
};

template <class P, class T>
class AddOp : public Op<P, T> {
 public:
  explicit AddOp(int64_t elements) : elements_(elements) {}
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    policy.launch(pass.n * elements_, Add<T>{b.x[0], b.x[1], b.y});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    for (size_t i = 0; i < 2; ++i) {
      if (b.dx[i] != nullptr) policy.launch(pass.n * elements_, Scaled<T>{b.dy, b.dx[i], 1, b.add[i]});
    }
  }

 private:
  int64_t elements_;
};

template <class P, class T>
class DropoutOp : public Op<P, T> {
 public:
  DropoutOp(int64_t elements, NodeId node, float rate, uint64_t seed)
      : elements_(elements), dropout_{seed, 0, node, rate} {}
  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (!pass.training) return policy.launch(pass.n * elements_, Scaled<T>{b.x[0], b.y, 1, false});
    policy.launch(pass.n * elements_, Drop<T>{dropout_, pass.numbers, b.x[0], b.y, false});
  }
  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (b.dx[0] != nullptr) {
      policy.launch(pass.n * elements_, Drop<T>{dropout_, pass.numbers, b.dy, b.dx[0], b.add[0]});
    }
  }

 private:
  int64_t elements_;
  kernels::Dropout dropout_;
};

}  // namespace lepton::cuda
