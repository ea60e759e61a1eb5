#pragma once
// Softmax cross-entropy of logits [n, classes], and its gradient.
#include "base/batch.h"
#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

struct Sample {
  float loss, correct;
};

LEPTON_HD float weight_of(const DeviceBatch& batch, int64_t s) {
  return batch.weights == nullptr ? 1.0F : batch.weights[s];
}

// Loss and gradient of one sample each.
template <class T>
struct SoftmaxLoss {
  int64_t classes;
  const StepNumbers* numbers;
  const T* logits;
  T* gradient;
  Sample* samples;

  LEPTON_HD void operator()(int64_t s) const {
    const kernels::CrossEntropy<float> entropy{classes, numbers->smoothing};
    const T* row = logits + s * classes;
    T* to = gradient + s * classes;
    const int32_t label = numbers->batch.labels[s];
    const float weight = weight_of(numbers->batch, s), share = weight * numbers->share;
    const bool right = label >= 0 && kernels::largest(row, classes) == label;
    const auto log_total = kernels::log_sum_exp<float>(row, classes);
    samples[s] = {label < 0 ? 0.0F : weight * entropy.loss(row, log_total, label), right ? 1.0F : 0.0F};
    for (int64_t c = 0; c < classes; ++c) to[c] = T(entropy.gradient(row[c], log_total, c, label, share));
  }
};

// Columns 0 and 1: loss and correct.
struct SampleTerm {
  const Sample* samples;
  LEPTON_HD double operator()(int64_t s, int64_t column) const {
    return static_cast<double>(column == 0 ? samples[s].loss : samples[s].correct);
  }
};

template <class P, class T>
class CrossEntropyLoss : public LossOp<P, T> {
 public:
  CrossEntropyLoss(P& policy, int64_t batch, int64_t classes) : classes_(classes) {
    samples_ = memory_of<Sample>(policy, batch);
    sums_ = memory_of<double>(policy, sums_room(batch, 2));
  }
  const double* run(P& policy, int64_t n, const StepNumbers* numbers, const T* stored, T* gradient) override {
    auto* samples = samples_.template as<Sample>();
    policy.launch(n, SoftmaxLoss<T>{classes_, numbers, stored, gradient, samples});
    return column_sums(policy, n, 2, SampleTerm{samples}, sums_.template as<double>());
  }

 private:
  int64_t classes_;
  Memory<P> samples_, sums_;
};

}  // namespace lepton::cuda
