#pragma once
// Batch normalisation over rows [n * pixels, channels], of which those of padding do not count.
#include <cstdint>
#include <string>
#include <type_traits>

#include "base/hd.h"
#include "cuda/divisor.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/sums.h"
#include "cuda/texts.h"
#include "kernels/norm.h"
#include "net/graph.h"

namespace lepton::cuda {

// What normalises a channel: [channels] each.
struct Statistics {
  const float *mean, *inverse, *gamma,
      *beta;  // inverse = 1 / sqrt(variance + epsilon)

  LEPTON_HD kernels::BatchNorm<float> of(int64_t c) const { return {mean[c], inverse[c], gamma[c], beta[c]}; }
};

// No activation.
struct Identity {
  LEPTON_HD float value(float x) const { return x; }
  LEPTON_HD float slope(float) const { return 1; }
};

// Terms of column_sums: x and its square.
template <class T>
struct Moments {
  Valid valid;
  const T* x;
  int64_t columns;
  LEPTON_HD Two operator()(int64_t row, int64_t c) const {
    if (!valid(row)) return {};
    const auto v = static_cast<double>(static_cast<float>(x[row * columns + c]));
    return {v, v * v};
  }
};

// dy of the normalised value, through the activation A; and that times the normalised value. dy of padding is 0.
template <class T, class A>
struct NormProducts {
  Statistics statistics;
  const T *x, *dy;
  int64_t columns;
  LEPTON_HD Two operator()(int64_t row, int64_t c) const {
    const int64_t i = row * columns + c;
    const kernels::BatchNorm<float> norm = statistics.of(c);
    const float d = dy[i] * A{}.slope(norm.value(x[i]));
    return {static_cast<double>(d), static_cast<double>(d) * static_cast<double>(norm.normalized(x[i]))};
  }
};

// Mean and variance of a batch. In double the difference of squares keeps seven digits up to a mean of 10^4 deviations.
struct Measure {
  Valid valid;
  const Two* sums;
  int64_t rows;
  float *mean, *variance;
  LEPTON_HD void operator()(int64_t c) const {
    const int64_t counted = valid.count(rows);
    const auto count = static_cast<double>(counted > 0 ? counted : 1);
    const double m = sums[c].a / count, v = sums[c].b / count - m * m;
    mean[c] = static_cast<float>(m);
    variance[c] = static_cast<float>(v > 0 ? v : 0);
  }
};

struct Inverse {
  const float* variance;
  float epsilon;
  float* inverse;
  LEPTON_HD void operator()(int64_t c) const { inverse[c] = kernels::inverse_deviation(variance[c], epsilon); }
};

struct SplitTwo {
  const Two* sums;
  float *a, *b;  // nullptr: not wanted
  LEPTON_HD void operator()(int64_t c) const {
    if (a != nullptr) a[c] = static_cast<float>(sums[c].a);
    if (b != nullptr) b[c] = static_cast<float>(sums[c].b);
  }
};

template <class T, class A>
struct Normalize {
  Statistics statistics;
  Divisor channels;
  const T* x;
  T* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = T(A{}.value(statistics.of(channels(i).remainder).value(x[i]))); }
};

template <class T, class A>
struct NormalizeBack {
  Valid valid;
  Statistics statistics;
  Divisor channels;
  const Two* sums;  // of NormProducts
  int64_t rows;
  const T *x, *dy;
  T* dx;
  bool add;
  LEPTON_HD void operator()(int64_t i) const {
    const auto [row, c] = channels(i);
    if (!valid(row)) return put(dx[i], add, 0);
    const auto count = static_cast<float>(valid.count(rows));
    const kernels::BatchNorm<float> norm = statistics.of(c);
    const float d = dy[i] * A{}.slope(norm.value(x[i]));
    put(dx[i], add, norm.gradient(x[i], d, static_cast<float>(sums[c].a), static_cast<float>(sums[c].b), count));
  }
};

struct UpdateRunning {
  const Verdict* verdict;
  Valid valid;
  float *mean, *variance;  // running
  const float *fresh_mean, *fresh_variance;
  float keep;
  int64_t rows;
  LEPTON_HD void operator()(int64_t c) const {
    if (verdict->go == 0) return;
    mean[c] = kernels::running(mean[c], fresh_mean[c], keep);
    variance[c] = kernels::running(variance[c], kernels::unbiased(fresh_variance[c], valid.count(rows)), keep);
  }
};

// With the activation A that follows it (fusion.h), or Identity.
template <class P, class T, class A>
class NormOp : public Op<P, T> {
 public:
  NormOp(P& policy, const Node& node, NodeId id, const Parameters<P>& parameters, const Valid& valid, int64_t batch,
         bool training)
      : attributes_(node.attributes),
        valid_(valid),
        channels_(node.shape[node.shape.rank() - 1]),
        pixels_(node.shape.elements() / channels_),
        room_(training ? sums_room(batch * pixels_, channels_) : 0),
        gamma_(parameters.find(id, Role::gamma)),
        beta_(parameters.find(id, Role::beta)),
        mean_(parameters.find(id, Role::mean).value),
        variance_(parameters.find(id, Role::variance).value),
        kept_(memory_of<float>(policy, 3 * channels_)) {}
  int64_t work_bytes() const override { return room_ * static_cast<int64_t>(sizeof(Two)); }

  void forward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    if (pass.training) {
      const int64_t rows = pass.n * pixels_;
      const Moments<T> term{valid_, b.x[0], channels_};
      const Two* sums = column_sums(policy, rows, channels_, term, static_cast<Two*>(b.work));
      policy.launch(channels_, Measure{valid_, sums, rows, fresh_mean(), fresh_variance()});
    }
    const float* variance = pass.training ? fresh_variance() : variance_;
    policy.launch(channels_, Inverse{variance, attributes_.epsilon, inverse()});
    if (pass.activate) {
      normalize<A>(policy, pass, b);
    } else {
      normalize<Identity>(policy, pass, b);
    }
  }

  void backward(P& policy, const Pass& pass, const Buffers<T>& b) override {
    const int64_t rows = pass.n * pixels_;
    const Statistics s = statistics(true);
    const NormProducts<T, A> term{s, b.x[0], b.dy, channels_};
    const Two* sums = column_sums(policy, rows, channels_, term, static_cast<Two*>(b.work));
    policy.launch(channels_, SplitTwo{sums, beta_.gradient, gamma_.gradient});
    if (b.dx[0] == nullptr) return;
    policy.launch(rows * channels_,
                  NormalizeBack<T, A>{valid_, s, Divisor(channels_), sums, rows, b.x[0], b.dy, b.dx[0], b.add[0]});
  }

  void commit(P& policy, const Pass& pass) override {
    policy.launch(channels_, UpdateRunning{pass.verdict, valid_, mean_, variance_, fresh_mean(), fresh_variance(),
                                           attributes_.keep, pass.n * pixels_});
  }

  std::string describe() const override { return std::is_same_v<A, Identity> ? "" : "with its activation"; }

 private:
  float* fresh_mean() const { return kept_.template as<float>(); }
  float* fresh_variance() const { return fresh_mean() + channels_; }
  float* inverse() const { return fresh_variance() + channels_; }

  template <class With>
  void normalize(P& policy, const Pass& pass, const Buffers<T>& b) {
    policy.launch(pass.n * pixels_ * channels_,
                  Normalize<T, With>{statistics(pass.training), Divisor(channels_), b.x[0], b.y});
  }

  Statistics statistics(bool fresh) const {
    return {fresh ? fresh_mean() : mean_, inverse(), gamma_.value, beta_.value};
  }

  Attributes attributes_;
  Valid valid_;
  int64_t channels_, pixels_;
  int64_t room_;  // Twos of column_sums
  Parameters<P>::Place gamma_, beta_;
  float *mean_, *variance_;  // running
  Memory<P> kept_;           // mean and variance of the latest training batch; inverse deviation of the latest pass
};

}  // namespace lepton::cuda
