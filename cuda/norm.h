#pragma once
// Batch normalisation over rows [n * pixels, channels].
#include <cstdint>

#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/parameters.h"
#include "cuda/pointwise.h"
#include "cuda/sums.h"
#include "kernels/norm.h"
#include "net/graph.h"

namespace lepton::cuda {

// What normalises a channel: [channels] each.
struct Statistics {
  const float *mean, *variance, *gamma, *beta;
  float epsilon;

  LEPTON_HD kernels::BatchNorm<float> of(int64_t c) const {
    return {mean[c], kernels::inverse_deviation(variance[c], epsilon), gamma[c], beta[c]};
  }
};

// Terms of column_sums.
struct SquaredDeviation {
  const float *x, *mean;
  int64_t columns;
  LEPTON_HD double operator()(int64_t row, int64_t c) const {
    const double d = static_cast<double>(x[row * columns + c]) - static_cast<double>(mean[c]);
    return d * d;
  }
};

struct NormProduct {
  Statistics statistics;
  const float *x, *dy;
  int64_t columns;
  LEPTON_HD double operator()(int64_t row, int64_t c) const {
    const int64_t i = row * columns + c;
    return static_cast<double>(dy[i]) * static_cast<double>(statistics.of(c).normalized(x[i]));
  }
};

struct MeanOf {
  const double* sums;
  int64_t count;
  float* mean;
  LEPTON_HD void operator()(int64_t c) const { mean[c] = static_cast<float>(sums[c] / static_cast<double>(count)); }
};

struct Normalize {
  Statistics statistics;
  int64_t channels;
  const float* x;
  float* y;
  LEPTON_HD void operator()(int64_t i) const { y[i] = statistics.of(i % channels).value(x[i]); }
};

struct NormalizeBack {
  Statistics statistics;
  int64_t channels;
  const double *sum, *product;
  float count;
  const float *x, *dy;
  float* dx;
  bool add;
  LEPTON_HD void operator()(int64_t i) const {
    const int64_t c = i % channels;
    put(dx[i], add,
        statistics.of(c).gradient(x[i], dy[i], static_cast<float>(sum[c]), static_cast<float>(product[c]), count));
  }
};

struct UpdateRunning {
  float *mean, *variance;  // running
  const float *fresh_mean, *fresh_variance;
  float keep;
  int64_t count;
  LEPTON_HD void operator()(int64_t c) const {
    mean[c] = kernels::running(mean[c], fresh_mean[c], keep);
    variance[c] = kernels::running(variance[c], kernels::unbiased(fresh_variance[c], count), keep);
  }
};

template <class P>
class NormOp : public Op<P> {
 public:
  NormOp(P& policy, const Node& node, NodeId id, const Parameters<P>& parameters, int64_t batch, bool training)
      : attributes_(node.attributes),
        channels_(node.shape[node.shape.rank() - 1]),
        pixels_(node.shape.elements() / channels_),
        room_(training ? sums_room(batch * pixels_, channels_) : 0),
        gamma_(parameters.find(id, Role::gamma)),
        beta_(parameters.find(id, Role::beta)),
        mean_(parameters.find(id, Role::mean).value),
        variance_(parameters.find(id, Role::variance).value) {
    if (training) fresh_ = memory_of<float>(policy, 2 * channels_);
  }
  int64_t kept_bytes() const override { return fresh_.bytes(); }
  int64_t work_bytes() const override { return 2 * room_ * static_cast<int64_t>(sizeof(double)); }

  void forward(P& policy, const Pass& pass, const Buffers& b) override {
    if (pass.training) measure(policy, pass, b);
    policy.launch(pass.n * pixels_ * channels_, Normalize{statistics(pass.training), channels_, b.x[0], b.y});
  }

  void backward(P& policy, const Pass& pass, const Buffers& b) override {
    const int64_t rows = pass.n * pixels_;
    const Statistics s = statistics(true);
    auto* room = static_cast<double*>(b.work);
    const double* sum = column_sums(policy, rows, channels_, Element{b.dy, channels_}, room);
    const NormProduct term{s, b.x[0], b.dy, channels_};
    const double* product = column_sums(policy, rows, channels_, term, room + room_);
    if (gamma_.gradient != nullptr) policy.launch(channels_, Narrow{product, gamma_.gradient});
    if (beta_.gradient != nullptr) policy.launch(channels_, Narrow{sum, beta_.gradient});
    if (b.dx[0] == nullptr) return;
    policy.launch(rows * channels_,
                  NormalizeBack{s, channels_, sum, product, static_cast<float>(rows), b.x[0], b.dy, b.dx[0], b.add[0]});
  }

  void commit(P& policy, const Pass& pass) override {
    policy.launch(channels_,
                  UpdateRunning{mean_, variance_, fresh_mean(), fresh_variance(), attributes_.keep, pass.n * pixels_});
  }

 private:
  float* fresh_mean() const { return fresh_.template as<float>(); }
  float* fresh_variance() const { return fresh_mean() + channels_; }

  void measure(P& policy, const Pass& pass, const Buffers& b) {
    const int64_t rows = pass.n * pixels_;
    auto* room = static_cast<double*>(b.work);
    const double* sums = column_sums(policy, rows, channels_, Element{b.x[0], channels_}, room);
    policy.launch(channels_, MeanOf{sums, rows, fresh_mean()});
    const double* squares =
        column_sums(policy, rows, channels_, SquaredDeviation{b.x[0], fresh_mean(), channels_}, room);
    policy.launch(channels_, MeanOf{squares, rows, fresh_variance()});
  }

  Statistics statistics(bool fresh) const {
    return {fresh ? fresh_mean() : mean_, fresh ? fresh_variance() : variance_, gamma_.value, beta_.value,
            attributes_.epsilon};
  }

  Attributes attributes_;
  int64_t channels_, pixels_;
  int64_t room_;  // doubles of one column_sums
  Parameters<P>::Place gamma_, beta_;
  float *mean_, *variance_;  // running
  Memory<P> fresh_;          // mean and variance of the latest training batch
};

}  // namespace lepton::cuda
