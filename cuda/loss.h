#pragma once
// Softmax cross-entropy of logits [n, classes], and its gradient.
#include <array>

#include "base/batch.h"
#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/op.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

struct Sample {
  float log_total, loss, correct;
};

// One sample each; weights: [n] or nullptr.
struct SampleLoss {
  kernels::CrossEntropy<float> entropy;
  const float* logits;
  const int32_t* labels;
  const float* weights;
  Sample* samples;

  LEPTON_HD void operator()(int64_t s) const {
    const float* row = logits + s * entropy.classes;
    const int32_t label = labels[s];
    const float weight = weights == nullptr ? 1.0F : weights[s];
    const bool right = label >= 0 && kernels::largest(row, entropy.classes) == label;
    samples[s] = {kernels::log_sum_exp(row, entropy.classes), label < 0 ? 0.0F : weight * entropy.loss(row, label),
                  right ? 1.0F : 0.0F};
  }
};

// One logit each.
template <class T>
struct LossGradient {
  kernels::CrossEntropy<float> entropy;
  const float* logits;
  const int32_t* labels;
  const float* weights;
  const Sample* samples;
  float factor;
  T* gradient;

  LEPTON_HD void operator()(int64_t i) const {
    const int64_t s = i / entropy.classes;
    const float weight = weights == nullptr ? 1.0F : weights[s];
    gradient[i] = T(entropy.gradient(logits[i], samples[s].log_total, i % entropy.classes, labels[s], weight * factor));
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

template <class P, class T>
class CrossEntropyLoss : public LossOp<P, T> {
 public:
  CrossEntropyLoss(P& policy, int64_t batch, int64_t classes) : classes_(classes) {
    labels_ = memory_of<int32_t>(policy, batch);
    weights_ = memory_of<float>(policy, batch);
    samples_ = memory_of<Sample>(policy, batch);
    wide_ = memory_of<float>(policy, batch * classes);
    sums_ = memory_of<double>(policy, sums_room(batch, 2));
  }
  int64_t bytes() const override {
    return labels_.bytes() + weights_.bytes() + samples_.bytes() + sums_.bytes() + wide_.bytes();
  }

  void run(P& policy, const Batch& batch, const T* stored, float smoothing, double factor, T* gradient) override {
    auto* labels = labels_.template as<int32_t>();
    auto* samples = samples_.template as<Sample>();
    float* weights = batch.weights.empty() ? nullptr : weights_.template as<float>();
    policy.upload(labels, batch.labels.data(), static_cast<int64_t>(batch.labels.size_bytes()));
    if (weights != nullptr) policy.upload(weights, batch.weights.data(), batch.n * static_cast<int64_t>(sizeof(float)));
    auto* logits = wide_.template as<float>();
    policy.launch(batch.n * classes_, Widen<T>{stored, logits});
    const kernels::CrossEntropy<float> entropy{classes_, smoothing};
    policy.launch(batch.n, SampleLoss{entropy, logits, labels, weights, samples});
    policy.launch(batch.n * classes_,
                  LossGradient<T>{entropy, logits, labels, weights, samples, static_cast<float>(factor), gradient});
    result_ = column_sums(policy, batch.n, 2, SampleTerm{samples}, sums_.template as<double>());
  }

  std::array<double, 2> sums(P& policy) const override {
    std::array<double, 2> result{};
    policy.download(result.data(), result_, sizeof(result));
    return result;
  }

 private:
  int64_t classes_;
  Memory<P> labels_, weights_, samples_, sums_, wide_;
  const double* result_ = nullptr;  // within sums_
};

}  // namespace lepton::cuda
