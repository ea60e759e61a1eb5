#include "engine/cpu/loss.h"

#include <algorithm>

#include "kernels/loss.h"

namespace lepton::cpu {
namespace {

double weight_of(const Batch& batch, int64_t s) {
  return batch.weights.empty() ? 1.0 : static_cast<double>(batch.weights[static_cast<size_t>(s)]);
}

// Cross-entropy of one sample, in double (logits: room for as many); gradient = factor x (softmax - target).
double sample_loss(const float* z, int64_t classes, int64_t label, float smoothing, double factor, double* logits,
                   float* gradient) {
  std::copy_n(z, classes, logits);
  const kernels::CrossEntropy<double> entropy{classes, static_cast<double>(smoothing)};
  const double log_total = kernels::log_sum_exp<double>(logits, classes);
  for (int64_t c = 0; c < classes; ++c) {
    gradient[c] = static_cast<float>(entropy.gradient(logits[c], log_total, c, label, factor));
  }
  return entropy.loss(logits, label);
}

}  // namespace

Loss::Loss(LossKind kind, int64_t batch, int64_t classes, int64_t stride)
    : kind_(kind),
      batch_(batch),
      classes_(classes),
      stride_(stride),
      losses_(static_cast<size_t>(batch)),
      correct_(static_cast<size_t>(batch)),
      logits_(static_cast<size_t>(batch * classes)) {}

void Loss::cross_entropy(const Batch& batch, int64_t s, const float* z, float smoothing, double factor,
                         float* gradient) {
  const auto at = static_cast<size_t>(s);
  const int32_t label = batch.labels[at];
  if (label < 0) return;
  const double weight = weight_of(batch, s);
  losses_[at] =
      weight * sample_loss(z, classes_, label, smoothing, weight * factor, logits_.data() + s * classes_, gradient);
  correct_[at] = kernels::largest(z, classes_) == label;
}

void Loss::squared_error(const Batch& batch, int64_t s, const float* z, double factor, float* gradient) {
  const kernels::SquaredError<double> error;
  const double weight = weight_of(batch, s);
  const float* targets = batch.targets.data() + s * classes_;
  double total = 0;
  for (int64_t c = 0; c < classes_; ++c) {
    const auto value = static_cast<double>(z[c]), target = static_cast<double>(targets[c]);
    total += error.loss(value, target);
    gradient[c] = static_cast<float>(error.gradient(value, target, weight * factor));
  }
  losses_[static_cast<size_t>(s)] = weight * total;
}

LossResult Loss::run(const Batch& batch, const float* logits, float smoothing, double factor, float* gradient) {
#pragma omp parallel for schedule(static)
  for (int64_t s = 0; s < batch_; ++s) {
    float* g = gradient + s * stride_;
    std::fill_n(g, stride_, 0.0F);
    losses_[static_cast<size_t>(s)] = 0;
    correct_[static_cast<size_t>(s)] = 0;
    if (s >= batch.n) continue;
    if (kind_ == LossKind::mse) {
      squared_error(batch, s, logits + s * stride_, factor, g);
    } else {
      cross_entropy(batch, s, logits + s * stride_, smoothing, factor, g);
    }
  }
  LossResult result;
  for (int64_t s = 0; s < batch.n; ++s) {
    result.loss += losses_[static_cast<size_t>(s)];
    result.correct += correct_[static_cast<size_t>(s)];
  }
  return result;
}

}  // namespace lepton::cpu
