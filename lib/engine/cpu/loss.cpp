#include "engine/cpu/loss.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/loss.h"

namespace lepton::cpu {
namespace {

float weight_of(const Batch& batch, int64_t s) {
  if (batch.labels[static_cast<size_t>(s)] < 0) return 0;
  return batch.weights.empty() ? 1.0F : batch.weights[static_cast<size_t>(s)];
}

// Cross-entropy of one sample, in double (logits: room for as many); gradient = factor x (softmax - target).
double sample_loss(const float* z, int64_t classes, int64_t label, float smoothing, double factor, double* logits,
                   float* gradient) {
  std::copy_n(z, classes, logits);
  const kernels::CrossEntropy<double> entropy{classes, static_cast<double>(smoothing)};
  const double log_total = kernels::log_sum_exp(logits, classes);
  for (int64_t c = 0; c < classes; ++c) {
    gradient[c] = static_cast<float>(entropy.gradient(logits[c], log_total, c, label, factor));
  }
  return entropy.loss(logits, label);
}

}  // namespace

double label_weight(const Batch& batch) {
  double total = 0;
  for (int64_t s = 0; s < batch.n; ++s) total += static_cast<double>(weight_of(batch, s));
  return total;
}

Loss::Loss(int64_t batch, int64_t classes, int64_t stride)
    : batch_(batch),
      classes_(classes),
      stride_(stride),
      losses_(static_cast<size_t>(batch)),
      correct_(static_cast<size_t>(batch)),
      logits_(static_cast<size_t>(batch * classes)) {}

LossResult Loss::run(const Batch& batch, const float* logits, float smoothing, double factor, float* gradient) {
  for (const int32_t label : batch.labels) {
    if (label >= classes_) fail(Exit::mismatch, "cpu: label {} in a network of {} classes", label, classes_);
  }
#pragma omp parallel for schedule(static)
  for (int64_t s = 0; s < batch_; ++s) {
    float* g = gradient + s * stride_;
    std::fill_n(g, stride_, 0.0F);
    const auto at = static_cast<size_t>(s);
    losses_[at] = 0;
    correct_[at] = 0;
    if (s >= batch.n || batch.labels[at] < 0) continue;
    const float* z = logits + s * stride_;
    const double weight = static_cast<double>(weight_of(batch, s));
    losses_[at] = weight * sample_loss(z, classes_, batch.labels[at], smoothing, weight * factor,
                                       logits_.data() + s * classes_, g);
    correct_[at] = kernels::largest(z, classes_) == batch.labels[at];
  }
  LossResult result;
  for (int64_t s = 0; s < batch.n; ++s) {
    result.loss += losses_[static_cast<size_t>(s)];
    result.correct += correct_[static_cast<size_t>(s)];
    result.weight += static_cast<double>(weight_of(batch, s));
  }
  return result;
}

}  // namespace lepton::cpu
