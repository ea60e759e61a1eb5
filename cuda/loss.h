#pragma once
// Softmax cross-entropy of logits [n, classes], and its gradient.
#include <array>

#include "base/batch.h"
#include "base/error.h"
#include "base/hd.h"
#include "cuda/memory.h"
#include "cuda/sums.h"
#include "kernels/loss.h"

namespace lepton::cuda {

struct Sample {
  float loss, correct;
};

// Loss and gradient of one sample each; weights: [n] or nullptr.
template <class T>
struct SoftmaxLoss {
  kernels::CrossEntropy<float> entropy;
  const T* logits;
  const int32_t* labels;
  const float* weights;
  float factor;
  T* gradient;
  Sample* samples;

  LEPTON_HD void operator()(int64_t s) const {
    const T* row = logits + s * entropy.classes;
    T* to = gradient + s * entropy.classes;
    const int32_t label = labels[s];
    const float weight = weights == nullptr ? 1.0F : weights[s];
    const bool right = label >= 0 && kernels::largest(row, entropy.classes) == label;
    const auto log_total = kernels::log_sum_exp<float>(row, entropy.classes);
    samples[s] = {label < 0 ? 0.0F : weight * entropy.loss(row, log_total, label), right ? 1.0F : 0.0F};
    for (int64_t c = 0; c < entropy.classes; ++c) {
      to[c] = T(entropy.gradient(row[c], log_total, c, label, weight * factor));
    }
  }
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
    labels_ = memory_of<int32_t>(policy, batch);
    weights_ = memory_of<float>(policy, batch);
    samples_ = memory_of<Sample>(policy, batch);
    sums_ = memory_of<double>(policy, sums_room(batch, 2));
  }
  int64_t bytes() const { return labels_.bytes() + weights_.bytes() + samples_.bytes() + sums_.bytes(); }

  // Sets the gradient [n, classes], `factor` being a weight of 1's share. sums() then are {weighted loss, correct}.
  void run(P& policy, const Batch& batch, const T* stored, float smoothing, double factor, T* gradient) {
    for (const int32_t label : batch.labels) {
      if (label >= classes_) fail(Exit::mismatch, "cuda: label {} in a network of {} classes", label, classes_);
    }
    auto* labels = labels_.template as<int32_t>();
    auto* samples = samples_.template as<Sample>();
    float* weights = batch.weights.empty() ? nullptr : weights_.template as<float>();
    policy.upload(labels, batch.labels.data(), static_cast<int64_t>(batch.labels.size_bytes()));
    if (weights != nullptr) policy.upload(weights, batch.weights.data(), batch.n * static_cast<int64_t>(sizeof(float)));
    const kernels::CrossEntropy<float> entropy{classes_, smoothing};
    policy.launch(batch.n,
                  SoftmaxLoss<T>{entropy, stored, labels, weights, static_cast<float>(factor), gradient, samples});
    result_ = column_sums(policy, batch.n, 2, SampleTerm{samples}, sums_.template as<double>());
  }

  std::array<double, 2> sums(P& policy) const {
    std::array<double, 2> result{};
    policy.download(result.data(), result_, sizeof(result));
    return result;
  }

 private:
  int64_t classes_;
  Memory<P> labels_, weights_, samples_, sums_;
  const double* result_ = nullptr;  // within sums_
};

}  // namespace lepton::cuda
