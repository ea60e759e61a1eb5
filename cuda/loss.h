#pragma once
// Softmax cross-entropy of logits [n, classes], and its gradient.
#include "base/batch.h"
#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/step.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

struct Sample {
  float log_total, loss, correct;
};

LEPTON_HD float weight_of(const DeviceBatch& batch, int64_t s) {
  return batch.weights == nullptr ? 1.0F : batch.weights[s];
}

// One sample each.
struct SampleLoss {
  int64_t classes;
  const StepNumbers* numbers;
  const float* logits;
  Sample* samples;

  LEPTON_HD void operator()(int64_t s) const {
    const kernels::CrossEntropy<float> entropy{classes, numbers->smoothing};
    const float* row = logits + s * classes;
    const int32_t label = numbers->batch.labels[s];
    const float weight = weight_of(numbers->batch, s);
    const bool right = label >= 0 && kernels::largest(row, classes) == label;
    samples[s] = {kernels::log_sum_exp(row, classes), label < 0 ? 0.0F : weight * entropy.loss(row, label),
                  right ? 1.0F : 0.0F};
  }
};

// One logit each.
template <class T>
struct LossGradient {
  int64_t classes;
  const StepNumbers* numbers;
  const float* logits;
  const Sample* samples;
  T* gradient;

  LEPTON_HD void operator()(int64_t i) const {
    const kernels::CrossEntropy<float> entropy{classes, numbers->smoothing};
    const int64_t s = i / classes;
    const float share = weight_of(numbers->batch, s) * numbers->share;
    gradient[i] = T(entropy.gradient(logits[i], samples[s].log_total, i % classes, numbers->batch.labels[s], share));
  }
};

template <class T>
struct Widen {
  const T* from;
  float* to;
  LEPTON_HD void operator()(int64_t i) const { to[i] = static_cast<float>(from[i]); }
};

// Columns 0 and 1: loss and correct.
struct SampleTerm {
  const Sample* samples;
  LEPTON_HD double operator()(int64_t s, int64_t column) const {
    return static_cast<double>(column == 0 ? samples[s].loss : samples[s].correct);
  }
};

inline double label_weight(const Batch& batch) {
  double total = 0;
  for (size_t s = 0; s < batch.labels.size(); ++s) {
    if (batch.labels[s] >= 0) total += batch.weights.empty() ? 1.0 : static_cast<double>(batch.weights[s]);
  }
  return total;
}

template <class P, class T>
class Loss {
 public:
  Loss(P& policy, int64_t batch, int64_t classes) : classes_(classes) {
    samples_ = memory_of<Sample>(policy, batch);
    wide_ = memory_of<float>(policy, batch * classes);
    sums_ = memory_of<double>(policy, sums_room(batch, 2));
  }
  int64_t bytes() const { return samples_.bytes() + sums_.bytes() + wide_.bytes(); }

  // Sets the gradient [n, classes]. Returns where the weighted loss and how many are correct will stand, on the device.
  const double* run(P& policy, int64_t n, const StepNumbers* numbers, const T* stored, T* gradient) {
    auto* samples = samples_.template as<Sample>();
    auto* logits = wide_.template as<float>();
    policy.launch(n * classes_, Widen<T>{stored, logits});
    policy.launch(n, SampleLoss{classes_, numbers, logits, samples});
    policy.launch(n * classes_, LossGradient<T>{classes_, numbers, logits, samples, gradient});
    return column_sums(policy, n, 2, SampleTerm{samples}, sums_.template as<double>());
  }

 private:
  int64_t classes_;
  Memory<P> samples_, sums_, wide_;
};

}  // namespace lepton::cuda
